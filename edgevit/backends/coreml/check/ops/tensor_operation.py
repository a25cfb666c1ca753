"""Operations that build, join, sort or pad tensors."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME
from edgevit.backends.coreml.check.ops.arguments import (
    Arguments,
    NotInterpretedError,
    OpFunction,
    axis_of,
)


def argsort(a: Arguments) -> Tensor:
    axis, descending = a.integer("axis", -1), not a.flag("ascending")
    order = torch.argsort(a.tensor("x"), dim=axis, descending=descending, stable=True)
    return order.to(torch.int32)


def band_part(a: Arguments) -> Tensor:
    """Zero all elements outside a band of the matrix.

    A negative bound keeps that whole triangle.
    """
    x, lower, upper = a.tensor("x"), a.integer("lower", -1), a.integer("upper", -1)
    below = torch.arange(x.shape[-2])[:, None] - torch.arange(x.shape[-1])
    keep = torch.ones_like(below, dtype=torch.bool)
    if lower >= 0:
        keep &= below <= lower
    if upper >= 0:
        keep &= -below <= upper
    return torch.where(keep, x, torch.zeros((), dtype=x.dtype))


def concat(a: Arguments) -> Tensor:
    values, axis = a.tensors("values"), a.integer("axis")
    if values[0].dim() == 0:
        return torch.stack(values)
    if not a.flag("interleave"):
        return torch.cat(values, axis)
    axis = axis_of(axis, values[0].dim())
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)


def cumsum(a: Arguments) -> Tensor:
    x, axis = a.tensor("x"), a.integer("axis", 0)
    flips = [axis] if a.flag("reverse") else []
    total = x.flip(flips).cumsum(axis).to(x.dtype)
    if a.flag("exclusive"):
        total = torch.cat(
            [torch.zeros_like(total.narrow(axis, 0, 1)), total.narrow(axis, 0, x.shape[axis] - 1)],
            axis,
        )
    return total.flip(flips)


def fill(a: Arguments) -> Tensor:
    return full(a, a.ints("shape"))


def fill_like(a: Arguments) -> Tensor:
    return full(a, list(a.tensor("ref_tensor").shape))


def full(a: Arguments, shape: list[int]) -> Tensor:
    value = a.maybe("value")
    return torch.zeros(shape) if value is None else value.reshape([1] * len(shape)).expand(shape)


def flatten2d(a: Arguments) -> Tensor:
    x, axis = a.tensor("x"), a.integer("axis", 1)
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def identity(a: Arguments) -> Tensor:
    return a.tensor("x")


def non_zero(a: Arguments) -> Tensor:
    return a.tensor("x").nonzero().to(torch.int32)


def one_hot(a: Arguments) -> Tensor:
    """Return one-hot vectors.

    An index outside the range, negative ones included, gives a row of `off_value`.
    """
    indices, size, axis = (
        a.tensor("indices"),
        a.integer("one_hot_vector_size"),
        a.integer("axis", -1),
    )
    hot = (indices.unsqueeze(-1) == torch.arange(size)).movedim(-1, axis)
    on = a.maybe("on_value") if "on_value" in a else torch.ones((), dtype=torch.int32)
    off = a.maybe("off_value") if "off_value" in a else torch.zeros((), dtype=torch.int32)
    assert on is not None and off is not None
    return torch.where(hot, on, off)


def pad(a: Arguments) -> Tensor:
    """Pad the last len/2 dimensions; `pad` lists them in their order."""
    x, amounts, mode = a.tensor("x"), a.ints("pad"), a.text("mode", "constant")
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    if mode == "constant":
        value = a.number("constant_val", 0.0)
        return F.pad(x, [n for pair in reversed(pairs) for n in pair], value=value)
    for axis, (before, after) in enumerate(pairs, start=x.dim() - len(pairs)):
        x = x.index_select(axis, source_indices(x.shape[axis], before, after, mode))
    return x


def source_indices(size: int, before: int, after: int, mode: str) -> Tensor:
    """Return the source index of each element of the padded dimension."""
    places = torch.arange(-before, size + after)
    if mode == "replicate":
        return places.clamp(0, size - 1)
    if mode != "reflect" or max(before, after) >= size:
        raise NotInterpretedError(f"pad mode {mode!r} by ({before}, {after}) of {size}")
    places = places.abs()
    return torch.where(places >= size, 2 * (size - 1) - places, places)


def range_1d(a: Arguments) -> Tensor:
    start, end, step = a.tensor("start"), a.tensor("end"), a.tensor("step")
    return torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


def shape(a: Arguments) -> Tensor:
    return torch.tensor(a.tensor("x").shape, dtype=torch.int32)


def split(a: Arguments) -> tuple[Tensor, ...]:
    x, axis = a.tensor("x"), a.integer("axis")
    if "split_sizes" in a:
        return x.split(a.ints("split_sizes"), axis)
    return x.split(x.shape[axis] // a.integer("num_splits"), axis)


def stack(a: Arguments) -> Tensor:
    return torch.stack(a.tensors("values"), a.integer("axis"))


def tile(a: Arguments) -> Tensor:
    return a.tensor("x").repeat(a.ints("reps"))


def topk(a: Arguments) -> tuple[Tensor, ...]:
    x, k, axis = a.tensor("x"), a.integer("k", 1), a.integer("axis", -1)
    k = x.shape[axis] if k == -1 else k
    values, indices = x.topk(k, axis, largest=not a.flag("ascending"), sorted=True)
    element = BY_NAME[a.text("output_indices_dtype", "int32")]
    indices = indices % (1 << element.bits)  # those of 16 bits wrap around
    return (
        (values, indices.to(element.tensor_dtype)) if a.flag("return_indices", True) else (values,)
    )


OPS: dict[str, OpFunction] = {
    "argsort": argsort,
    "band_part": band_part,
    "concat": concat,
    "cumsum": cumsum,
    "fill": fill,
    "fill_like": fill_like,
    "flatten2d": flatten2d,
    "identity": identity,
    "non_zero": non_zero,
    "one_hot": one_hot,
    "pad": pad,
    "range_1d": range_1d,
    "shape": shape,
    "split": split,
    "stack": stack,
    "tile": tile,
    "topk": topk,
}
