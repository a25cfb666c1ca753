"""Unfold and fold as convolutions that pick one pixel of the window for each of their channels.

Where the windows are tiles that lie side by side, a permute does it.

    unfold(x, k)              ->   reshape(conv(x, one-hot, groups=C))
    fold(y, k)                ->   reshape(conv_transpose(reshape(y, B * C, k * k, H, W), one-hot))
    unfold(x, k, stride=k)    ->   reshape(permute(reshape(x, B, C, H, k, W, k), 0, 1, 3, 5, 2, 4))        and fold its inverse

The same values: each sum has one term for unfold, and for fold those that fold adds itself, in another order. Where the
last window does not meet the image's far border, what it makes is cut and padded afterwards: coremltools fails at an
output padding. The transposed convolution has no groups but a larger batch: TFLite makes one call for each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.layout.name_views import sliced
from edgevit.rewrites.rule import CallRule, Match, Refused

aten = torch.ops.aten


class ExpandUnfold(CallRule):
    name: ClassVar[str] = "expand-unfold"
    rtol: ClassVar[float] = 1e-6
    pattern: ClassVar[Pattern] = call("im2col", "col2im")

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if not value(node).is_floating_point():
            raise Refused("it is not of real numbers")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        folds = kind(node) == "col2im"
        if are_tiles(node):
            return tiled(node, edit)
        return _folded(node, edit) if folds else _unfolded(node, edit)


def are_tiles(node: Node) -> bool:
    """Check that every pixel is in exactly one window."""
    image = shape(node) if kind(node) == "col2im" else shape(operand(node))
    window = pair(node, "kernel_size")
    plain = pair(node, "stride") == window and not any(pair(node, "padding"))
    near = all(apart == 1 for apart in pair(node, "dilation"))
    return plain and near and not any(n % k for n, k in zip(image[-2:], window, strict=True))


def tiled(node: Node, edit: Edit) -> Node:
    return _joined(node, edit) if kind(node) == "col2im" else _apart(node, edit)


def _apart(node: Node, edit: Edit) -> Node:
    channels, high, wide = shape(operand(node))[-3:]
    rows, columns = pair(node, "kernel_size")
    sizes = [-1, channels, high // rows, rows, wide // columns, columns]
    apart = edit.call(aten.reshape.default, operand(node), sizes)
    transposed = edit.call(aten.permute.default, apart, [0, 1, 3, 5, 2, 4])
    return edit.call(aten.reshape.default, transposed, list(shape(node)))


def _joined(node: Node, edit: Edit) -> Node:
    channels, high, wide = shape(node)[-3:]
    rows, columns = pair(node, "kernel_size")
    sizes = [-1, channels, rows, columns, high // rows, wide // columns]
    apart = edit.call(aten.reshape.default, operand(node), sizes)
    transposed = edit.call(aten.permute.default, apart, [0, 1, 4, 2, 5, 3])
    return edit.call(aten.reshape.default, transposed, list(shape(node)))


def _unfolded(node: Node, edit: Edit) -> Node:
    source = operand(node)
    picks = edit.constant(_picks(node, shape(source)[-3]), "picks")
    image = edit.call(aten.reshape.default, source, [-1, *shape(source)[-3:]])
    stride, padding, dilation = (pair(node, name) for name in ("stride", "padding", "dilation"))
    convolved = edit.call(
        aten.conv2d.default, image, picks, None, stride, padding, dilation, shape(source)[-3]
    )
    return edit.call(aten.reshape.default, convolved, list(shape(node)))


def _folded(node: Node, edit: Edit) -> Node:
    counts, uncovered = zip(*grid(node, shape(node)[-2:]), strict=True)
    size = prod(pair(node, "kernel_size"))
    columns = edit.call(aten.reshape.default, operand(node), [-1, size, *counts])
    picks = edit.constant(_picks(node, 1), "picks")
    stride, padding, dilation = (pair(node, name) for name in ("stride", "padding", "dilation"))
    cut = [0, 0] if any(uncovered) else padding
    folded = edit.call(
        aten.conv_transpose2d.input, columns, picks, None, stride, cut, [0, 0], 1, dilation
    )
    if any(uncovered):
        folded = windowed(folded, padding, shape(node)[-2:], edit)
    return edit.call(aten.reshape.default, folded, list(shape(node)))


def windowed(whole: Node, first: list[int], size: Sequence[int], edit: Edit) -> Node:
    """Cut `size` pixels from `first` on, zeros where there are none."""
    behind: list[int] = []
    for axis, (start, extent) in enumerate(zip(first, size, strict=True), start=2):
        end = min(start + extent, shape(whole)[axis])
        whole = sliced(whole, axis, start, end, edit)
        behind = [0, start + extent - end, *behind]
    return edit.call(aten.constant_pad_nd.default, whole, behind, 0.0) if any(behind) else whole


def pair(node: Node, name: str) -> list[int]:
    return list(per_dimension(argument(node, name), 2))


def _picks(node: Node, channels: int) -> torch.Tensor:
    high, wide = pair(node, "kernel_size")
    return (
        torch.eye(high * wide, dtype=value(node).dtype)
        .reshape(-1, 1, high, wide)
        .repeat(channels, 1, 1, 1)
    )


def grid(node: Node, image: Sequence[int]) -> list[tuple[int, int]]:
    """Return the number of windows along each axis of the image, and the number of pixels
    behind the last one.
    """
    names = "kernel_size", "stride", "padding", "dilation"
    axes = zip(image, *(pair(node, name) for name in names), strict=True)
    free = [
        (extent + 2 * pad - apart * (size - 1) - 1, step) for extent, size, step, pad, apart in axes
    ]
    return [(room // step + 1, room % step) for room, step in free]
