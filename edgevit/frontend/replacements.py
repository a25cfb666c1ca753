"""Forwards of modules that a caller replaces: `--replace blocks.*.scan=fast.py:scan`.

The module keeps its weights and its place. What it computes is `scan(module, *inputs)`, which is compared with the
module's own forward on the inputs that it gets in the model. Where the original does not run on this machine,
as a CUDA kernel does not, nothing is compared, and a note says so.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError, UsageError, suggest
from edgevit.frontend.kernels import missing_kernel
from edgevit.frontend.python_callable import load_object, takes
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import first_line, tensors_in
from edgevit.frontend.wrappers import unwrapped
from edgevit.graph.parity import distance

_OPTION = "--replace"
_FORM = "--replace blocks.*.scan=fast.py:scan, a function of the module and its inputs"
_WHOLE = "."  # the model itself
_CLOSE = 1e-4  # relative L2: sums in another order
_MOST_CALLS = 8  # compared, of one module


@dataclass
class SeenCall:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Replacement:
    """A module of the model, its own forward and the one in its place."""

    path: str
    module: nn.Module
    original: Callable[..., object]
    spec: str
    calls: list[SeenCall] = field(default_factory=list)


def put_in(source: ModelSource, text: str, trust: bool) -> tuple[Replacement, ...]:
    """Replace the forwards that the text names, in the source's module."""
    if source.exported is not None:
        raise UsageError(
            "nothing is replaced in an exported program",
            where=_OPTION,
            why="its modules are one graph",
            hint="start from the model's code: net.py:build",
        )
    replacements: list[Replacement] = []
    for part in text.split(","):
        pattern, equals, spec = part.strip().partition("=")
        if not equals or not pattern or not takes(spec):
            raise UsageError(
                f"`{part[:80]}` is no replacement",
                where=_OPTION,
                why="a replacement is MODULE=PACKAGE:CALLABLE or MODULE=FILE.py:CALLABLE",
                hint=_FORM,
            )
        modules = _modules(unwrapped(source.module), pattern)
        function = _function(spec, trust)
        replacements += [_replaced(path, module, function, spec) for path, module in modules]
    return tuple(replacements)


def verified(source: ModelSource, replacements: tuple[Replacement, ...]) -> ModelSource:
    """Compare the replacements with the originals, and note what was seen."""
    with contextlib.ExitStack() as hooks, torch.no_grad():
        for replacement in replacements:
            hooks.enter_context(_recorded(replacement))
        source.module(*(x.clone() for x in source.inputs))
        notes = tuple(_verdict(replacement) for replacement in replacements)
    return replace(source, notes=(*source.notes, *notes))


def _modules(model: nn.Module, pattern: str) -> list[tuple[str, nn.Module]]:
    if pattern == _WHOLE:
        return [(_WHOLE, model)]
    modules = [
        (path, m) for path, m in model.named_modules() if path and fnmatchcase(path, pattern)
    ]
    if modules:
        return modules
    raise ModelError(
        f"the model has no module `{pattern[:80]}`",
        where=_OPTION,
        why="a module is named by its path in the model, in which * stands for any part; `.` is the model",
        hint=suggest(pattern, [path for path, _ in model.named_modules() if path]) or _FORM,
    )


def _function(spec: str, trust: bool) -> Callable[..., object]:
    place, _, _ = spec.rpartition(":")
    if place.endswith(".py") and not trust:
        raise UsageError(
            f"`{place}` is code, which is not run",
            where=_OPTION,
            why="a replacement from a file is run in the model's place",
            hint="--trust, if you know who wrote the file",
        )
    function: Any = load_object(spec)
    if not callable(function):
        raise ModelError(
            f"`{spec}` cannot be called",
            where=_OPTION,
            why=f"it is a {type(function).__name__}",
            hint=_FORM,
        )
    return function


def _replaced(path: str, module: Any, function: Callable[..., object], spec: str) -> Replacement:
    original = module.forward
    module.forward = types.MethodType(function, module)
    return Replacement(path, module, original, spec)


@contextlib.contextmanager
def _recorded(replacement: Replacement) -> Iterator[None]:
    def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
        if len(replacement.calls) < _MOST_CALLS:
            outputs = tuple(x.clone() for x in tensors_in(output))
            replacement.calls.append(SeenCall(args, kwargs, outputs))

    handle = replacement.module.register_forward_hook(record, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _verdict(replacement: Replacement) -> str:
    name = f"`{replacement.path}` computes {replacement.spec}"
    if not replacement.calls:
        return f"{name}, NOT verified: the model does not call it"
    worst = 0.0
    for call in replacement.calls:
        try:
            expected = tensors_in(replacement.original(*call.args, **call.kwargs))
        except Exception as error:
            reason = missing_kernel(error) or first_line(error)
            return f"{name}, NOT verified: the original does not run here, {reason}"
        worst = max(worst, _difference(replacement, expected, call.outputs))
    return f"{name}, verified against the original on the example inputs: relative L2 {worst:.1e}"


def _difference(
    replacement: Replacement, expected: tuple[torch.Tensor, ...], outputs: tuple[torch.Tensor, ...]
) -> float:
    shapes, others = ([tuple(x.shape) for x in xs] for xs in (expected, outputs))
    why = f"the original gives {shapes}, the replacement {others}" if shapes != others else ""
    apart = 0.0 if why else distance(expected, outputs).rel_l2
    if not why and apart <= _CLOSE:
        return apart
    raise ModelError(
        f"`{replacement.spec}` does not compute what `{replacement.path}` does",
        where=replacement.path,
        why=why or f"relative L2 {apart:.1e} on the example inputs; {_CLOSE:.0e} is taken",
        hint="correct the replacement, a function of the module and its inputs",
    )
