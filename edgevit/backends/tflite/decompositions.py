"""Decompositions of ops that litert-torch has no lowering for, or a wrong one.

They are in its own table of decompositions and not rules, because its other decompositions make
such ops too (a `matmul` of two ranks expands, a `tile` repeats), after all rules have run. All are
exact but for the order of sums.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from edgevit.backends.in_aten import add, cdist, logical_xor, one_hot, rsub, sub, unfold
from edgevit.backends.tflite.tool import litert
from edgevit.graph.window import adaptive_windows
from edgevit.rewrites.arithmetic.bits import BITS, NARROW, is_of_few_bits
from edgevit.rewrites.arithmetic.expand_erfc import erfc

aten = torch.ops.aten
Tensor = torch.Tensor
_COMPARISONS = [f"{name}.{form}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for form in ("Scalar", "Tensor")]  # fmt: skip
_COPIES = 4  # of a tensor in one concatenation; more are made by an expansion


@functools.cache
def register() -> None:
    decomp = litert("fx_infra").decomp
    theirs = decomp.pre_convert_decomp()[aten.convolution.default]
    for target, decomposition in TABLE.items():
        decomp.add_pre_convert_decomp(target, decomposition)
    decomp.add_pre_convert_decomp(
        aten.convolution.default, functools.partial(convolution, theirs=theirs)
    )


def expand(x: Tensor, size: Sequence[int], *, implicit: bool = False) -> Tensor:
    """Write an expansion of several long axes as a product with a row of ones.

    The converter moves a transpose past a `BROADCAST_TO` as if it were a reshape, which is wrong if
    two axes of `x` are longer than one. No transpose is moved past a product.
    """
    lead = len(size) - x.ndim
    before = [1] * lead + list(x.shape)
    after = [b if s == -1 else s for s, b in zip(size, before, strict=True)]
    if before == after or sum(extent > 1 for extent in before) < 2:
        return NotImplemented
    for axis, (one, many) in enumerate(zip(before, after, strict=True)):
        if one != many:
            x = _along(x, math.prod(before[:axis]), many)
            before[axis] = many
    return x.reshape(after)


def _along(x: Tensor, rows: int, count: int) -> Tensor:
    """Repeat each of the `rows` of `x` `count` times in a row."""
    if x.dtype != torch.float32:
        return torch.cat([x.reshape(rows, 1, -1)] * count, 1)
    ones = torch.ones(1, count)
    width = x.numel() // rows
    many = torch.mm(x.reshape(rows * width, 1), ones)
    return many if width == 1 else many.reshape(rows, width, count).transpose(1, 2)


def repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    """Repeat by concatenation or expansion.

    litert-torch changes the layout of `x` and leaves `repeats` as they were.
    """
    x = x.reshape([1] * (len(repeats) - x.ndim) + list(x.shape))
    for axis, count in enumerate(repeats):
        if 1 < count <= _COPIES:
            x = torch.cat([x] * count, axis)
        elif count != 1:
            shape = list(x.shape)
            rows = math.prod(shape[:axis])
            shape[axis] *= count
            x = x.reshape(rows, 1, -1).expand(rows, count, -1).reshape(shape)
    return x.clone()


def power(x: Tensor, exponent: float) -> Tensor:
    """Square by a product, as POW has at most four dimensions."""
    return x * x if exponent == 2 else NotImplemented


def exp2(x: Tensor) -> Tensor:
    return torch.exp(x * math.log(2))


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Sort by `topk`, as the interpreter has no STABLEHLO_SORT.

    TOPK_V2 keeps equal numbers in their order, as a stable sort does.
    """
    if x.ndim == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    dim %= x.ndim
    places = torch.topk(x, x.shape[dim], dim, largest=descending)[1]
    return x.gather(dim, places), places


def stable_sort(
    x: Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    return sort(x, dim, descending)


def argsort(x: Tensor, dim: int = -1, descending: bool = False) -> Tensor:
    return sort(x, dim, descending)[1]


def topk(
    x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """Replace a negative axis by its index from the front.

    litert-torch changes the layout of `x`, and a default axis stays the last.
    """
    if dim >= 0 or x.ndim == 0:
        return NotImplemented
    values, places = aten.topk(x, k, dim % x.ndim, largest, sorted)
    return values, places


def flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Flip one axis at a time, as REVERSE_V2 reverses neighbouring axes only."""
    if len(dims) < 2:
        return NotImplemented
    for dim in dims:
        x = aten.flip(x, [dim])
    return x


def xor(x: Tensor, other: Tensor) -> Tensor:
    return x != other if x.dtype == other.dtype == torch.bool else NotImplemented


def of_bits(definition: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Compute bits of integers in sums, as only those of booleans have a kernel."""

    def function(x: Tensor, *numbers: Any) -> Tensor:
        return definition(x, *numbers) if is_of_few_bits(x.dtype, numbers) else NotImplemented

    return function


def compared(target: Any) -> Callable[..., Tensor]:
    """Compare bytes and other short integers as int32: the kernels take those of quantised values alone."""

    def function(x: Tensor, other: Any) -> Tensor:
        if x.dtype not in NARROW:
            return NotImplemented
        return target(x.to(torch.int32), other)

    return function


def empty_like(x: Tensor, **options: Any) -> Tensor:
    """Return zeros, as the values of an uninitialised tensor are undefined."""
    return torch.zeros_like(x, dtype=options.get("dtype"))


def adaptive_max_pool2d(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Pool each adaptive window by `amax`, or by a plain pool if all have one size.

    Programs that read the indices of the maxima are refused beforehand, because litert-torch's are
    wrong for any pool.
    """
    height, width = x.shape[-2:]
    out_height, out_width = output_size
    if height % out_height == 0 and width % out_width == 0:
        return aten.max_pool2d_with_indices(x, [height // out_height, width // out_width])
    for axis, count in ((-2, out_height), (-1, out_width)):
        windows = adaptive_windows(x.shape[axis], count)
        x = torch.cat([x.narrow(axis, a, b - a).amax(axis, keepdim=True) for a, b in windows], axis)
    return x, torch.zeros_like(x, dtype=torch.int64)


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *,
    theirs: Callable[..., Any],
) -> Any:
    """Write a transposed convolution in the few forms that TRANSPOSE_CONV has.

    TRANSPOSE_CONV supports no padding, or the one that makes every pixel `stride` pixels, and no
    dilation. For an output that reaches further at its end litert-torch writes zeros.

    Without padding all of the output is computed; what the padding cuts off is cut off afterwards.
    A dilated weight is one with zeros between its numbers.
    """
    sizes = [(k - 1) * apart + 1 for k, apart in zip(weight.shape[2:], dilation, strict=True)]
    plain = not any(output_padding) and all(apart == 1 for apart in dilation)
    same = all(
        size - 2 * pad == step for size, pad, step in zip(sizes, padding, stride, strict=True)
    )
    if not transposed or (plain and (same or not any(padding))):
        return theirs(
            x, weight, bias, stride, padding, dilation, transposed, output_padding, groups
        )
    for axis, apart in enumerate(dilation, start=2):
        weight = _apart(weight, axis, apart)
    none, ones = [0] * len(padding), [1] * len(padding)
    whole = aten.convolution(x, weight, None, stride, none, ones, True, none, groups)
    ends = zip(reversed(padding), reversed(output_padding), strict=True)
    cuts = [amount for pad, more in ends for amount in (-pad, more - pad)]
    cut = aten.constant_pad_nd(whole, cuts, 0.0)
    return cut if bias is None else cut + bias.reshape([1, -1] + [1] * len(padding))


def _apart(weight: Tensor, axis: int, step: int) -> Tensor:
    """Insert `step - 1` zeros between the numbers along one axis."""
    if step == 1:
        return weight
    wide = weight.movedim(axis, -1).unsqueeze(-1)
    wide = aten.constant_pad_nd(wide, [0, step - 1], 0.0).flatten(-2)
    return wide[..., : wide.shape[-1] - step + 1].movedim(-1, axis)


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(aten, packet), overload or "default")


TABLE: dict[Any, Callable[..., Any]] = {
    aten.expand.default: expand,
    aten.repeat.default: repeat,
    aten.unfold.default: unfold,  # a gather otherwise, which pads at six dimensions
    aten.rsub.Scalar: rsub,
    aten.rsub.Tensor: rsub,
    aten.add.Tensor: add,
    aten.sub.Tensor: sub,
    aten.pow.Tensor_Scalar: power,
    aten.exp2.default: exp2,
    aten.erfc.default: erfc,
    aten.sort.default: sort,
    aten.sort.stable: stable_sort,
    aten.argsort.default: argsort,
    aten.topk.default: topk,
    aten.flip.default: flip,
    aten.bitwise_xor.Tensor: xor,
    aten.logical_xor.default: logical_xor,
    aten.one_hot.default: one_hot,
    aten.empty_like.default: empty_like,
    aten.adaptive_max_pool2d.default: adaptive_max_pool2d,
    **{_overload(name): of_bits(function) for name, function in BITS.items()},
    **{_overload(name): compared(_overload(name)) for name in _COMPARISONS},
    aten._cdist_forward.default: cdist,  # its lowering takes the last axes for rows and columns in any layout
}
