"""Inputs that run as a batch which the graph does not know of, by torch's `vmap`."""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch.utils import _pytree as pytree

_functorch = cast(Any, torch._C)._functorch


def run(
    call: Callable[..., tuple[torch.Tensor, ...]], runs: Sequence[Sequence[torch.Tensor]]
) -> list[tuple[torch.Tensor, ...]]:
    """Return what `call` gives of each input."""
    columns = [torch.stack(list(column)) for column in zip(*runs, strict=True)]
    # The warning is of operators that run one input after the other.
    _functorch._set_vmap_fallback_warning_enabled(False)
    try:
        outputs = torch.func.vmap(call)(*columns)
    finally:
        _functorch._set_vmap_fallback_warning_enabled(True)  # as torch has it
    return list(zip(*(one.unbind() for one in outputs), strict=True))


def call(target: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call an operator. Some want the numbers of a batch in the order of its axes, and say so."""
    try:
        return target(*args, **kwargs)
    except RuntimeError:
        leaves = pytree.tree_leaves((args, kwargs))
        if not any(map(holds_inputs, leaves)):
            raise
        args, kwargs = pytree.tree_map_only(torch.Tensor, _in_order, (args, kwargs))
        return target(*args, **kwargs)


def whole(batch: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return the tensor of all inputs that stands behind a batch, and its axis of inputs."""
    return _functorch.get_unwrapped(batch), _functorch.maybe_get_bdim(batch)


def holds_inputs(value: Any) -> bool:
    """Check for a batch: what depends on no input is none."""
    return isinstance(value, torch.Tensor) and _functorch.is_batchedtensor(value)


def each(result: Any, count: int) -> Iterator[Any]:
    """Yield what each input has of a result: of a tensor, or of several."""
    if holds_inputs(result):
        numbers, axis = whole(result)
        yield from numbers.unbind(axis)
        return
    leaves, structure = pytree.tree_flatten(result)
    for place in range(count):
        yield pytree.tree_unflatten([_of_input(one, place) for one in leaves], structure)


def _of_input(value: Any, place: int) -> Any:
    if not holds_inputs(value):
        return value
    numbers, axis = whole(value)
    return numbers.select(axis, place)


def _in_order(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)
