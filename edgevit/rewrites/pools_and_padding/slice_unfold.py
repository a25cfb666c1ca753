"""Unfold and fold as slices, pads and sums: one for each place in the window, without
weights.

    unfold(x, k, stride s)   ->   cat over (i, j) of pad(x)[i :: s, j :: s]
    fold(y, k, stride s)     ->   interleave over s * s phases of the sum of the parts of y that fall on it, each padded to its shift

For a converter that makes a dense convolution of an unfold, with (channels * window)^2 weights. The same values; fold adds them in
another order. Windows that are tiles are `expand-unfold`'s, without a copy.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.pools_and_padding.expand_unfold import are_tiles, grid, pair, tiled, windowed
from edgevit.rewrites.rule import CallRule, Match, Refused

aten = torch.ops.aten
_MOST = 256  # places in a window


class SliceUnfold(CallRule):
    name: ClassVar[str] = "slice-unfold"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("im2col", "col2im")

    def check(self, match: Match, draft: Draft) -> None:
        rows, columns = pair(match.node, "kernel_size")
        if rows * columns > _MOST:
            raise Refused(f"its windows have {rows * columns} places, each of which is a slice")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        if are_tiles(node):
            return tiled(node, edit)
        return _folded(node, edit) if kind(node) == "col2im" else _unfolded(node, edit)


def _unfolded(node: Node, edit: Edit) -> Node:
    source = operand(node)
    channels, *extents = shape(source)[-3:]
    image = edit.reshaped(source, [-1, channels, *extents])
    (above, beside), stride, apart = (pair(node, name) for name in ("padding", "stride", "dilation"))  # fmt: skip
    if above or beside:
        pads = [beside, beside, above, above]
        image = edit.call(aten.constant_pad_nd.default, image, pads, _zero(node))
    batch = shape(image)[0]
    counts = [count for count, _ in grid(node, extents)]
    parts: list[Node] = []
    for window in product(*map(range, pair(node, "kernel_size"))):
        part = image
        for axis, (place, step, near, count) in enumerate(zip(window, stride, apart, counts, strict=True), start=2):  # fmt: skip
            first = place * near
            part = edit.call(aten.slice.Tensor, part, axis, first, first + (count - 1) * step + 1, step)  # fmt: skip
        parts.append(edit.call(aten.reshape.default, part, [batch, channels, 1, counts[0] * counts[1]]))  # fmt: skip
    return edit.reshaped(edit.call(aten.cat.default, parts, 2), shape(node))


def _folded(node: Node, edit: Edit) -> Node:
    """Fold by phases.

    Along each axis, place k of a window falls on phase k * dilation % stride, shifted by k *
    dilation // stride.
    """
    extents = shape(node)[-2:]
    counts = [count for count, _ in grid(node, extents)]
    sizes, stride, apart = (pair(node, name) for name in ("kernel_size", "stride", "dilation"))
    shifts = [((k - 1) * near) // step for k, step, near in zip(sizes, stride, apart, strict=True)]
    whole = [count + shift for count, shift in zip(counts, shifts, strict=True)]
    windows = list(product(*map(range, sizes)))
    flat = edit.call(aten.reshape.default, operand(node), [-1, len(windows), *counts])
    phases: dict[tuple[int, int], list[Node]] = {}
    for place, (row, column) in enumerate(windows):
        part = edit.call(aten.slice.Tensor, flat, 1, place, place + 1)
        part = edit.reshaped(part, [shape(flat)[0], *counts])
        down, right = row * apart[0], column * apart[1]
        shift = (right // stride[1], down // stride[0])
        part = _shifted(part, shift, whole, node, edit)
        phases.setdefault((down % stride[0], right % stride[1]), []).append(part)
    sums = {
        phase: reduce(lambda a, b: edit.call(aten.add.Tensor, a, b), parts)
        for phase, parts in phases.items()
    }
    image = _interleaved(sums, stride, node, edit)
    image = edit.reshaped(image, [shape(flat)[0], 1, *shape(image)[1:]])
    image = windowed(image, pair(node, "padding"), extents, edit)
    return edit.reshaped(image, shape(node))


def _shifted(part: Node, shift: tuple[int, int], whole: list[int], node: Node, edit: Edit) -> Node:
    high, wide = shape(part)[1:]
    right, down = shift
    pads = [right, whole[1] - wide - right, down, whole[0] - high - down]
    if not any(pads):
        return part
    return edit.call(aten.constant_pad_nd.default, part, pads, _zero(node))


def _interleaved(sums: dict[tuple[int, int], Node], stride: list[int], node: Node, edit: Edit) -> Node:  # fmt: skip
    """Interleave the phases: first columns, then rows."""
    batch, high, wide = shape(next(iter(sums.values())))
    if stride == [1, 1]:
        return sums[0, 0]
    nothing = torch.zeros(batch, high, wide, dtype=value(node).dtype)
    rows: list[Node] = []
    for down in range(stride[0]):
        columns = [sums.get((down, right)) or edit.constant(nothing, "nothing") for right in range(stride[1])]  # fmt: skip
        beside = [edit.reshaped(column, [batch, high, wide, 1]) for column in columns]
        joined = edit.call(aten.cat.default, beside, 3)
        rows.append(edit.reshaped(joined, [batch, high, 1, wide * stride[1]]))
    return edit.reshaped(edit.call(aten.cat.default, rows, 2), [batch, high * stride[0], wide * stride[1]])  # fmt: skip


def _zero(node: Node) -> float:
    return 0.0 if value(node).is_floating_point() else 0
