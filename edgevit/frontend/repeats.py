"""Check that a model gives the same outputs when it runs again, with the reason if not: state or
randomness.

An artifact starts every call alike. A counter, features kept from the last image or dropout that is always on would be
frozen at what one call happened to see, and the check, which is of that call, would pass.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from edgevit.errors import ModelError
from edgevit.frontend.lines import line_now, short_path
from edgevit.frontend.trial import tensors_in
from edgevit.graph.parity import distance

Tensors = tuple[torch.Tensor, ...]
_SAME = 1e-5  # relative L2: the order of a sum may hang on where memory lies
_DEPTH = 3  # of lists and dictionaries in an attribute
_NEVER_ITS_OWN = frozenset(nn.Module().__dict__)  # `_parameters`, hooks ...


def twin_of(module: nn.Module) -> nn.Module | None:
    """Copy a module: the same weights and buffers, but Python attributes of its own.

    None where it cannot be copied.
    """
    shared: dict[int, Any] = {id(t): t for t in (*module.parameters(), *module.buffers())}
    try:
        return copy.deepcopy(module, shared)
    except Exception:
        return None


def require_repeatable(
    module: nn.Module, twin: nn.Module | None, inputs: Tensors, outputs: Tensors
) -> None:
    """Refuse a model with state or randomness.

    `outputs` are the outputs of `module` on `inputs`. `twin` has not run yet, and sees another
    input first, so that state from a first image shows.
    """
    probe = module if twin is None or _is_another(twin, inputs, outputs) else twin
    with contextlib.suppress(Exception):
        _run(probe, tuple(map(_other, inputs)))
    try:
        first = _run(probe, inputs)
    except Exception:  # of the copy, as `module` has run
        probe, first = module, _run(module, inputs)
    before = _buffers(probe)
    second = _run(probe, inputs)
    changed = _changed(before, _buffers(probe))
    if _same(outputs, first) and _same(first, second) and not (changed and _moved(first, second)):
        return
    raise _refusal(probe, inputs, changed)


def _is_another(twin: nn.Module, inputs: Tensors, outputs: Tensors) -> bool:
    """Tell a copy that is not the model: its hooks are functions that write where the model reads, not the copy."""
    if not any(part._forward_hooks or part._forward_pre_hooks for part in twin.modules()):
        return False
    spare = twin_of(twin)
    try:
        return spare is not None and not _same(outputs, _run(spare, inputs))
    except Exception:
        return True


def _run(module: nn.Module, inputs: Tensors) -> Tensors:
    """Run the model on copies: a model may write into its inputs."""
    with torch.no_grad():
        outputs = tensors_in(module(*(x.clone() for x in inputs)))
    return tuple(x.clone() for x in outputs)


def _other(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5 + 0.25 if x.is_floating_point() else x


def _same(one: Tensors, other: Tensors) -> bool:
    if len(one) != len(other) or any(a.shape != b.shape for a, b in zip(one, other, strict=True)):
        return False
    return distance(one, other).rel_l2 <= _SAME


def _moved(one: Tensors, other: Tensors) -> bool:
    return not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in module.named_buffers()}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name, new in after.items() if not _alike(before.get(name), new)]


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, torch.Tensor) and isinstance(new, torch.Tensor):
        return old.shape == new.shape and old.dtype == new.dtype and torch.equal(old, new)
    return type(old) is type(new) and old == new


def _refusal(module: nn.Module, inputs: Tensors, buffers: list[str]) -> ModelError:
    """Find the cause by one more run under observation, and build the error."""
    attributes = dict(_attributes(module))
    generators = random.getstate(), str(np.random.get_state())
    with _Draws() as draws:
        _run(module, inputs)
    if draws.calls:
        name, place = draws.calls[0]
        return _random(f"`{name}`", place)
    if random.getstate() != generators[0]:
        return _random("Python's `random`", _forward_of(module, ""))
    if str(np.random.get_state()) != generators[1]:
        return _random("`numpy.random`", _forward_of(module, ""))
    if buffers:
        return _stateful(module, "buffer", buffers)
    changed = _changed(attributes, dict(_attributes(module)))
    return _stateful(module, "attribute", changed) if changed else _unexplained(module)


def _random(what: str, place: str) -> ModelError:
    return ModelError(
        f"the model draws random numbers: {what}",
        where=place,
        why="two runs on one input differ, and an artifact would keep what one of them drew",
        hint="draw them outside and pass them as an input; dropout takes `training=self.training`",
    )


def _stateful(module: nn.Module, kind: str, names: list[str]) -> ModelError:
    listed = ", ".join(f"`{name}`" for name in names[:5])
    return ModelError(
        f"the model keeps state in its {kind}{'s' if len(names) > 1 else ''} {listed}",
        where=_forward_of(module, names[0]),
        why="forward changes it, two runs on one input differ, and an artifact starts every call alike",
        hint="take the state as an input, and return its new value as an output; "
        f"for firmware, --state {names[0]} does so",
    )


def _unexplained(module: nn.Module) -> ModelError:
    return ModelError(
        "the model gives other numbers when it runs again on the same input",
        where=_forward_of(module, ""),
        why="no random call was seen and no attribute changed: it keeps state outside of its modules",
        hint="take the state as an input, and return its new value as an output",
    )


def _forward_of(module: nn.Module, name: str) -> str:
    """Return the forward of the module that owns the attribute `name`, as `blocks.3  net.py:12`."""
    owner, path = module, []
    for part in name.split(".")[:-1]:
        child = getattr(owner, part, None)
        if not isinstance(child, nn.Module):
            break
        owner, path = child, [*path, part]
    try:
        _, line = inspect.getsourcelines(type(owner).forward)
        place = f"{short_path(inspect.getfile(type(owner)))}:{line}"
    except (OSError, TypeError):
        place = type(owner).__name__
    return "  ".join(filter(None, (".".join(path), place)))


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the Python attributes of each module, as values that a later run does not change."""
    for prefix, owner in module.named_modules():
        for name, value in vars(owner).items():
            if name not in _NEVER_ITS_OWN:
                yield ".".join(filter(None, (prefix, name))), _frozen(value, _DEPTH)


def _frozen(value: Any, depth: int) -> Any:
    """Freeze a value for comparison.

    A container is represented by its items, an unknown object only by its type.
    """
    if isinstance(value, torch.Tensor):
        return _frozen_tensor(value)
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return value
    if depth and isinstance(value, Mapping):
        return {repr(key): _frozen(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set):
        return [_frozen(item, depth - 1) for item in value]
    return type(value).__name__


def _frozen_tensor(tensor: torch.Tensor) -> Any:
    with contextlib.suppress(RuntimeError):  # sparse, quantised, without data
        return (tuple(tensor.shape), tensor.detach().double().sum().item())
    return str(tensor.layout)


class _Draws(TorchDispatchMode):
    """Recorder of the calls that draw from PyTorch's generator, each with its line."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.calls.append((func._schema.name.split("::")[-1], line_now()))
        return func(*args, **(kwargs or {}))
