"""Example inputs as a caller structures them: by position, by keyword, or nested.

Devices take a flat list of tensors. `Structured` is the model with that interface:

    y = model(x, masks=[a, b])   ->   y = structured(x, a, b)
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgevit.errors import ModelError

_PLACES = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_HINT = "a tensor, a tuple of tensors in the order of forward's arguments, or a dict by their names"
_FREEZE = "hold what does not change in the model: functools.partial(model, flag=True)"


@dataclass(frozen=True)
class ExampleInputs:
    """Tensors in the order of the flat interface, their names, and the structure around them."""

    tensors: tuple[torch.Tensor, ...]
    names: tuple[str, ...]
    structure: pytree.TreeSpec  # of (arguments by position, arguments by keyword)

    @property
    def by_position(self) -> bool:
        """Whether the model's own interface is the flat one."""
        flat = pytree.tree_structure((tuple(self.tensors), {}))
        return self.structure == flat


class Structured(torch.nn.Module):
    """Model that takes flat tensors and passes them on in their structure."""

    def __init__(self, model: torch.nn.Module, structure: pytree.TreeSpec) -> None:
        super().__init__()
        self.model = model
        # A function, which copies of this module share: the structure itself warns when copied.
        self._arrange = lambda tensors: pytree.tree_unflatten(list(tensors), structure)

    def forward(self, *tensors: torch.Tensor) -> object:
        positional, keywords = self._arrange(tensors)
        return self.model(*positional, **keywords)


def read_inputs(
    example: object, function: Callable[..., object], where: str, usual: tuple[str, ...] = ()
) -> ExampleInputs:
    """Read example inputs, and refuse those that `function` has no parameters for.

    `usual` are names by position, where the function's parameters have none.
    Raises `ModelError`, also for anything in them that is no dense tensor.
    """
    positional, keywords = _arguments(example, where)
    signature = _signature_of(function)
    if signature is not None:
        keywords = _in_order(signature, keywords)
        _require_parameters(signature, positional, keywords, where)
    paths, structure = pytree.tree_flatten_with_path((positional, keywords))
    for path, leaf in paths:
        _require_tensor(leaf, f"{where}: {_place(path)}")
    first = _parameter_names(signature, len(positional), usual)
    names = _distinct([_name(path, first) for path, _ in paths])
    return ExampleInputs(tuple(leaf for _, leaf in paths), names, structure)


def _arguments(example: object, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, torch.Tensor):
        return (example,), {}
    if isinstance(example, Mapping) and example:
        return (), {str(name): value for name, value in example.items()}
    if isinstance(example, tuple | list) and example:
        return tuple(example), {}
    raise ModelError(
        f"the example inputs of `{where}` are not tensors",
        where=where,
        why=f"got {_describe(example)}",
        hint=_hint_for(example, _HINT),
    )


def _signature_of(function: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return None


def _in_order(signature: inspect.Signature, keywords: dict[str, Any]) -> dict[str, Any]:
    """Put keywords in the order of the parameters: the order of a dict says nothing."""
    first = [name for name in signature.parameters if name in keywords]
    return {name: keywords[name] for name in (*first, *(k for k in keywords if k not in first))}


def _require_parameters(
    signature: inspect.Signature,
    positional: Sequence[object],
    keywords: Mapping[str, object],
    where: str,
) -> None:
    try:
        signature.bind(*positional, **keywords)
    except TypeError as error:
        raise ModelError(
            f"the example inputs are not those that `{where}` takes",
            where=where,
            why=f"{error}: forward{signature}",
            hint=_HINT,
        ) from error


def _require_tensor(leaf: object, where: str) -> None:
    if not isinstance(leaf, torch.Tensor):
        raise ModelError(
            "an example input is no tensor",
            where=where,
            why=f"it is {_describe(leaf)}; an artifact takes tensors alone",
            hint=_hint_for(leaf, _FREEZE),
        )
    if leaf.layout != torch.strided or leaf.is_quantized:
        raise ModelError(
            "an example input is no dense tensor",
            where=where,
            why="it is quantised" if leaf.is_quantized else f"its layout is {leaf.layout}",
            hint="x.dequantize()" if leaf.is_quantized else "x.to_dense()",
        )


def _hint_for(leaf: object, otherwise: str) -> str:
    library = type(leaf).__module__.partition(".")[0]
    if library == "numpy":
        return "torch.from_numpy(x)"
    if library == "PIL":
        return "torchvision.transforms.functional.to_tensor(x)[None]"
    if leaf is None and otherwise is _FREEZE:
        return "leave it out, and give the others by name: {'x': x}"
    return otherwise


def _describe(value: object) -> str:
    if isinstance(value, tuple | list):
        kind = with_article(type(value).__name__)
        return f"{kind} of " + (", ".join(type(x).__name__ for x in value) or "nothing")
    return "None" if value is None else with_article(type(value).__name__)


def with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _parameter_names(
    signature: inspect.Signature | None, count: int, usual: tuple[str, ...]
) -> tuple[str, ...]:
    parameters = signature.parameters.values() if signature is not None else ()
    named = [p.name for p in parameters if p.kind in _PLACES]
    if len(named) >= count:
        return tuple(named[:count])
    if len(usual) == count:
        return usual
    return tuple(f"input_{k}" for k in range(count))


def _name(path: pytree.KeyPath, first: Sequence[str]) -> str:
    kind, argument, *inner = (_key(part) for part in path)
    base = first[int(argument)] if kind == "0" else argument
    return re.sub(r"\W", "_", "_".join([base, *inner]))


def _place(path: pytree.KeyPath) -> str:
    return "".join(str(part) for part in path[1:])


def _key(part: Any) -> str:
    return str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part))))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, with a number at those that are there twice."""
    again = [name if names.count(name) == 1 else f"{name}_{k}" for k, name in enumerate(names)]
    return tuple(again)
