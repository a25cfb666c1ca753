"""Algebra of collapse-linear: a value as one convolution of another value.

    value[o, q] = bias[o] + sum over i, d of  kernel[o, i, d] * source[i, stride * q + d]

`source` counts as zero outside its extent. `d` runs over `taps`, the displacements that matter on each
axis, so dilation and padding need no fields of their own: a 3x3 kernel of dilation 2 and padding 2 has
taps (-2, 0, 2) on both axes. Kernels are float64 and are worked out only when a collapse is taken:
whether it pays is decided from taps, groups and extents alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import gcd, prod

import torch

Extents = tuple[int, ...]
Taps = tuple[tuple[int, ...], ...]
Kernel = Callable[[], torch.Tensor]


class BorderMismatchError(Exception):
    """The collapsed convolution would read other values past the border than the chain does."""


@dataclass(frozen=True)
class LinearForm:
    source_size: Extents  # spatial extents of the source
    ins: int
    outs: int
    size: Extents  # spatial extents of the value
    stride: Extents
    taps: Taps
    groups: int
    kernel: Kernel  # [*taps, outs, ins / groups]: taps first, so that placing one is a copy of whole blocks
    bias: torch.Tensor  # [outs]

    @property
    def is_diagonal(self) -> bool:
        return self.groups == self.ins == self.outs


def identity(channels: int, size: Extents) -> LinearForm:
    ones = torch.ones(*(1 for _ in size), channels, 1, dtype=torch.float64)
    return LinearForm(size, channels, channels, size, (1,) * len(size), ((0,),) * len(size), channels, lambda: ones,
                torch.zeros(channels, dtype=torch.float64))  # fmt: skip


def scaled(form: LinearForm, factor: torch.Tensor) -> LinearForm:
    """Multiply every output channel by its factor."""
    return replace(
        form, kernel=cache(lambda: form.kernel() * factor[:, None]), bias=form.bias * factor
    )


def shifted(form: LinearForm, offset: torch.Tensor) -> LinearForm:
    return replace(form, bias=form.bias + offset)


def added(a: LinearForm, b: LinearForm) -> LinearForm:
    """Add two values of the same source, channels and extents."""
    groups = gcd(a.groups, b.groups)
    taps = tuple(tuple(sorted({*s, *t})) for s, t in zip(a.taps, b.taps, strict=True))

    def kernel() -> torch.Tensor:
        total = torch.zeros(*map(len, taps), a.outs, a.ins // groups, dtype=torch.float64)
        for form in (a, b):
            total[_positions(form.taps, taps)] += regrouped(form.kernel(), form.groups, groups)
        return total

    return replace(a, taps=taps, groups=groups, kernel=cache(kernel), bias=a.bias + b.bias)


def composed(outer: LinearForm, inner: LinearForm) -> LinearForm:
    """Compose two forms: `outer` over the value that `inner` describes.

    The result is a form over inner's source.
    """
    _require_zero_past_border(outer, inner)
    stride = tuple(s * t for s, t in zip(outer.stride, inner.stride, strict=True))
    taps = tuple(
        tuple(sorted({step * t + d for t in far for d in near}))
        for far, near, step in zip(outer.taps, inner.taps, inner.stride, strict=True)
    )
    if inner.is_diagonal or outer.is_diagonal:
        groups = outer.groups if inner.is_diagonal else inner.groups
    else:
        groups = gcd(outer.groups, inner.groups)
    return LinearForm(
        inner.source_size, inner.ins, outer.outs, outer.size, stride, taps, groups,
        cache(lambda: _composed_kernel(outer, inner, taps, groups)),
        outer.bias + _response_to_constant(outer, inner.bias),
    )  # fmt: skip


def _require_zero_past_border(outer: LinearForm, inner: LinearForm) -> None:
    """Refuse where the formula would not give zeros past the border of inner's value, as the
    model has there.
    """
    for far, near, step, pace, size, extent, source in zip(
        outer.taps,
        inner.taps,
        inner.stride,
        outer.stride,
        inner.size,
        outer.size,
        inner.source_size,
        strict=True,
    ):
        before = far[0] < 0
        behind = pace * (extent - 1) + far[-1] >= size
        if (before or behind) and bool(inner.bias.any()):
            raise BorderMismatchError(
                "it pads with zeros what the layers before it have already shifted by a bias"
            )
        if (before and near[-1] >= step) or (behind and step * size + near[0] < source):
            raise BorderMismatchError(
                "it pads with zeros where the layers before it would still see the image"
            )


def _response_to_constant(outer: LinearForm, level: torch.Tensor) -> torch.Tensor:
    """Return the response of `outer` to a map of one level a channel (and, by the check
    above, no padded border).
    """
    if not level.any():
        return torch.zeros(outer.outs, dtype=torch.float64)
    weight = outer.kernel().flatten(0, -3).sum(0) if outer.size else outer.kernel()
    grouped = weight.view(outer.groups, outer.outs // outer.groups, -1)
    return torch.einsum("goi,gi->go", grouped, level.view(outer.groups, -1)).reshape(-1)


def _composed_kernel(outer: LinearForm, inner: LinearForm, taps: Taps, groups: int) -> torch.Tensor:
    far, near = outer.kernel(), inner.kernel()
    total = torch.zeros(*map(len, taps), outer.outs, inner.ins // groups, dtype=torch.float64)
    for index in itertools.product(*(range(len(t)) for t in outer.taps)):
        shifts = tuple(
            tuple(step * axis[k] + d for d in base)
            for axis, k, step, base in zip(outer.taps, index, inner.stride, inner.taps, strict=True)
        )
        total[_positions(shifts, taps)] += _product(far[index], near, outer, inner, groups)
    return total


def _product(
    tap: torch.Tensor, near: torch.Tensor, outer: LinearForm, inner: LinearForm, groups: int
) -> torch.Tensor:
    """Multiply one tap of the outer kernel, `[outs, mids / groups]`, by the whole inner kernel."""
    if inner.is_diagonal:
        mids = near.reshape(*near.shape[:-2], outer.groups, 1, -1)
        return (tap.view(outer.groups, -1, tap.shape[1]) * mids).flatten(-3, -2)
    if outer.is_diagonal:
        return tap * near
    left = regrouped(tap, outer.groups, groups).view(groups, outer.outs // groups, -1)
    right = regrouped(near, inner.groups, groups)
    return (left @ right.reshape(*right.shape[:-2], groups, -1, right.shape[-1])).flatten(-3, -2)


def regrouped(kernel: torch.Tensor, groups: int, coarser: int) -> torch.Tensor:
    """Return the same kernel with fewer groups, and zeros between the finer groups.

    `coarser` divides `groups`.
    """
    if groups == coarser:
        return kernel
    ratio = groups // coarser
    outs, ins = kernel.shape[-2:]
    fine = kernel.reshape(
        *kernel.shape[:-2], coarser, ratio, outs // groups, ins
    )  # [*taps, coarser, ratio, outs, ins]
    wide = torch.zeros(*fine.shape[:-1], ratio, fine.shape[-1], dtype=kernel.dtype)
    for k in range(ratio):
        wide[..., k, :, k, :] = fine[..., k, :, :]
    return wide.flatten(-2).flatten(-4, -2)


def _positions(taps: Taps, within: Taps) -> tuple[slice, ...] | tuple[torch.Tensor, ...]:
    """Return an index that places a kernel on `taps` into one on the taps `within`.

    It has slices (views, much faster) where taps are evenly spaced.
    """
    places = [[whole.index(t) for t in part] for part, whole in zip(taps, within, strict=True)]
    steps = [place[1] - place[0] if len(place) > 1 else 1 for place in places]
    if all(
        place == list(range(place[0], place[-1] + 1, step))
        for place, step in zip(places, steps, strict=True)
    ):
        return tuple(
            slice(place[0], place[-1] + 1, step) for place, step in zip(places, steps, strict=True)
        )
    dims = len(taps)
    return tuple(
        torch.tensor(place).view(-1, *(1,) * (dims - axis - 1)) for axis, place in enumerate(places)
    )


@dataclass(frozen=True)
class Geometry:
    """A form as the arguments of a convolution call: symmetric padding, one dilation an axis."""

    kernel_size: Extents
    dilation: Extents
    padding: Extents
    offsets: Taps  # the kernel's taps, zeros included


def geometry(form: LinearForm) -> Geometry | None:
    """Return the smallest kernel that a convolution with symmetric padding can hold, if there
    is one.
    """
    axes = [
        _axis(*args)
        for args in zip(form.taps, form.stride, form.size, form.source_size, strict=True)
    ]
    if any(axis is None for axis in axes):
        return None
    whole = [axis for axis in axes if axis is not None]
    return Geometry(
        tuple(len(axis[1]) for axis in whole),
        tuple(axis[0] for axis in whole),
        tuple(-axis[1][0] for axis in whole),
        tuple(axis[1] for axis in whole),
    )


def _axis(
    taps: tuple[int, ...], stride: int, size: int, source: int
) -> tuple[int, tuple[int, ...]] | None:
    """Return dilation and taps of one axis.

    Zeros are added at either end until the padding comes out symmetric.
    """
    step = gcd(*(t - taps[0] for t in taps)) or 1
    for extra in range(2 * (source + len(taps))):
        for before in range(extra + 1):
            first, last = taps[0] - before * step, taps[-1] + (extra - before) * step
            if first <= 0 and (source - 2 * first - (last - first) - 1) // stride + 1 == size:
                return step, tuple(range(first, last + 1, step))
        if extra > 4 + len(taps):
            return None
    return None


def macs(form: LinearForm, shape: Geometry) -> int:
    return form.outs * prod(form.size) * (form.ins // form.groups) * prod(shape.kernel_size)


def weight_of(form: LinearForm, shape: Geometry, dtype: torch.dtype) -> torch.Tensor:
    """Return the kernel as a convolution takes it, with its zeros in place."""
    kernel = form.kernel()
    if form.taps != shape.offsets:
        full = torch.zeros(*shape.kernel_size, *kernel.shape[-2:], dtype=torch.float64)
        full[_positions(form.taps, shape.offsets)] = kernel
        kernel = full
    return kernel.to(dtype).permute(-2, -1, *range(kernel.ndim - 2))
