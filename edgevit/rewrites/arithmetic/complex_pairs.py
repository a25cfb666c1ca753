"""Complex arithmetic and Fourier transforms on pairs of real tensors.

    (a, b) * (c, d)     =   (a c - b d, a d + b c)
    exp(a, b)           =   (exp(a) cos(b), exp(a) sin(b))
    dft(a, b)           =   (a C + b S, b C - a S)        C[j, k] = cos(2 pi j k / n),   S[j, k] = sin(2 pi j k / n)
    inverse(a, b)       =   (a C - b S, b C + a S) / n

A transform along an axis is a product with constant matrices. No imaginary part at all is `None`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.edit import Edit
from edgevit.graph.program import shape, value

aten = torch.ops.aten
Pair = tuple[Node, Node | None]


def times(x: Pair, y: Pair, edit: Edit) -> Pair:
    (a, b), (c, d) = x, y
    mul = aten.mul.Tensor
    real = edit.call(mul, a, c)
    if b is not None and d is not None:
        real = edit.call(aten.sub.Tensor, real, edit.call(mul, b, d))
    cross = [edit.call(mul, p, q) for p, q in ((a, d), (b, c)) if p is not None and q is not None]
    return real, _sum(cross, edit)


def times_number(x: Pair, number: complex, edit: Edit) -> Pair:
    mul = aten.mul.Tensor
    (a, b), c, d = x, number.real, number.imag
    real, cross = edit.call(mul, a, c), edit.call(mul, a, d)
    if b is None:
        return real, cross
    back = edit.call(mul, b, d)
    return edit.call(aten.sub.Tensor, real, back), _sum([cross, edit.call(mul, b, c)], edit)


def polar(length: Node, angle: Node, edit: Edit) -> Pair:
    waves = (edit.call(wave, angle) for wave in (aten.cos.default, aten.sin.default))
    real, imaginary = (edit.call(aten.mul.Tensor, length, wave) for wave in waves)
    return real, imaginary


def plus(x: Pair, y: Pair, target: Any, edit: Edit) -> Pair:
    """Add or subtract two pairs, as `target` says."""
    (a, b), (c, d) = x, y
    real = edit.call(target, a, c)
    if b is not None and d is not None:
        return real, edit.call(target, b, d)
    if d is not None and target is aten.sub.Tensor:
        d = edit.call(aten.neg.default, d)
    imaginary_part = b if d is None else d
    if imaginary_part is None or shape(imaginary_part) == shape(real):
        return real, imaginary_part
    return real, edit.call(aten.expand.default, imaginary_part, list(shape(real)))


def each(x: Pair, change: Callable[[Node], Node]) -> Pair:
    """Apply a function that is linear over the reals to both parts."""
    return change(x[0]), None if x[1] is None else change(x[1])


def conjugate(x: Pair, edit: Edit) -> Pair:
    return x[0], None if x[1] is None else edit.call(aten.neg.default, x[1])


def length(x: Pair, edit: Edit) -> Node:
    squares = [edit.call(aten.mul.Tensor, part, part) for part in x if part is not None]
    whole = _sum(squares, edit)
    assert whole is not None
    return edit.call(aten.sqrt.default, whole)


def angle(x: Pair, edit: Edit) -> Node:
    return edit.call(aten.atan2.default, imaginary(x, edit), x[0])


def quotient(x: Pair, y: Pair, edit: Edit) -> Pair:
    """Divide by complex numbers: x / y = x conj(y) / |y|^2."""
    (above, below), (c, d) = times(x, conjugate(y, edit), edit), y
    squares = [edit.call(aten.mul.Tensor, part, part) for part in (c, d) if part is not None]
    size = _sum(squares, edit)
    return each((above, below), lambda part: edit.call(aten.div.Tensor, part, size))


def sized(x: Pair, axis: int, size: int, edit: Edit) -> Pair:
    """Cut an axis, or append zeros to it, as a transform of another size does."""
    rank, before = len(shape(x[0])), shape(x[0])[axis]
    if size == before:
        return x
    if size < before:
        return each(x, lambda part: edit.call(aten.slice.Tensor, part, axis, 0, size))
    pad = [0, 0] * (rank - 1 - axis) + [0, size - before]
    return each(x, lambda part: edit.call(aten.constant_pad_nd.default, part, pad))


def imaginary(x: Pair, edit: Edit) -> Node:
    return edit.call(aten.mul.Tensor, x[0], 0.0) if x[1] is None else x[1]


def transform(x: Pair, axis: int, inverse: bool, scale: float, edit: Edit) -> Pair:
    """Transform all frequencies along an axis."""
    size = shape(x[0])[axis]
    cosines, sines = _waves(size, size)
    a, b = x
    real, imag = (along(a, axis, m * scale, edit) for m in (cosines, sines if inverse else -sines))
    if b is None:
        return real, imag
    back, forth = (along(b, axis, m * scale, edit) for m in (-sines if inverse else sines, cosines))
    return edit.call(aten.add.Tensor, real, back), edit.call(aten.add.Tensor, imag, forth)


def half(x: Node, axis: int, scale: float, edit: Edit) -> Pair:
    """Compute the non-redundant frequencies of real values: those above the middle are the
    conjugates of those below.
    """
    size = shape(x)[axis]
    cosines, sines = _waves(size, size // 2 + 1)
    return along(x, axis, cosines * scale, edit), along(x, axis, -sines * scale, edit)


def from_half(x: Pair, axis: int, size: int, scale: float, edit: Edit) -> Node:
    """Transform half a spectrum back to real values.

    Each frequency stands for two, but for the first and, of an even number, the middle one.
    """
    count = shape(x[0])[axis]
    cosines, sines = _waves(size, count)
    weights = torch.full((count, 1), 2.0, dtype=torch.float64)
    weights[0] = 1.0
    if size % 2 == 0:
        weights[-1] = 1.0
    real = along(x[0], axis, cosines.T * weights * scale, edit)
    if x[1] is None:
        return real
    return edit.call(aten.add.Tensor, real, along(x[1], axis, -sines.T * weights * scale, edit))


def along(x: Node, axis: int, matrix: torch.Tensor, edit: Edit) -> Node:
    """Multiply by a matrix whose rows are the values of that axis."""
    rank = len(shape(x))
    waves = edit.constant(matrix.to(value(x).dtype), "waves")
    swap = list(range(rank))
    swap[axis], swap[-1] = swap[-1], swap[axis]
    is_last = axis % rank == rank - 1
    transposed = x if is_last else edit.call(aten.permute.default, x, swap)
    product = edit.call(aten.matmul.default, transposed, waves)
    return product if is_last else edit.call(aten.permute.default, product, swap)


def scale_of(norm: str | None, size: int, inverse: bool) -> float:
    if norm == "ortho":
        return 1 / sqrt(size)
    return 1 / size if inverse is (norm in {None, "backward"}) else 1.0


def _waves(size: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of as many frequencies.

    The angles are taken modulo a turn while they are whole numbers.
    """
    steps = torch.arange(size)[:, None] * torch.arange(count)[None, :] % size
    angles = steps.double() * (2 * pi / size)
    return angles.cos(), angles.sin()


def _sum(parts: list[Node], edit: Edit) -> Node | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return edit.call(aten.add.Tensor, parts[0], parts[1])
