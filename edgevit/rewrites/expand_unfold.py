"""Unfold and fold as depthwise convolutions that pick one pixel of the window for each of their channels.

    unfold(x, k)   ->   reshape(conv(x, one-hot, groups=C))
    fold(y, k)     ->   conv_transpose(reshape(y), one-hot, groups=C)

The same values: each sum has one term for unfold, and for fold those that fold adds itself, in another order.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class ExpandUnfold(Rule[Match]):
    name: ClassVar[str] = "expand-unfold"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if kind(node) in {"im2col", "col2im"} else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if not value(node).is_floating_point():
            raise Refused("it is not of real numbers")
        if kind(node) == "col2im" and _grid(node, shape(node)) is None:
            raise Refused("the windows do not reach the image's far border")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return (
            _unfolded(match.node, edit)
            if kind(match.node) == "im2col"
            else _folded(match.node, edit)
        )


def _unfolded(node: Node, edit: Edit) -> Node:
    source = operand(node)
    picks = edit.constant(_picks(node, shape(source)[-3]), "picks")
    image = edit.call(aten.reshape.default, source, [-1, *shape(source)[-3:]])
    stride, padding, dilation = (_pair(node, name) for name in ("stride", "padding", "dilation"))
    made = edit.call(
        aten.conv2d.default, image, picks, None, stride, padding, dilation, shape(source)[-3]
    )
    return edit.call(aten.reshape.default, made, list(shape(node)))


def _folded(node: Node, edit: Edit) -> Node:
    channels = shape(node)[-3]
    grid = _grid(node, shape(node))
    assert grid is not None
    size = prod(_pair(node, "kernel_size"))
    columns = edit.call(aten.reshape.default, operand(node), [-1, channels * size, *grid])
    picks = edit.constant(_picks(node, channels), "picks")
    stride, padding, dilation = (_pair(node, name) for name in ("stride", "padding", "dilation"))
    made = edit.call(
        aten.conv_transpose2d.input, columns, picks, None, stride, padding, [0, 0], channels, dilation
    )  # fmt: skip
    return edit.call(aten.reshape.default, made, list(shape(node)))


def _pair(node: Node, name: str) -> list[int]:
    return list(per_dimension(argument(node, name), 2))


def _picks(node: Node, channels: int) -> torch.Tensor:
    high, wide = _pair(node, "kernel_size")
    return (
        torch.eye(high * wide, dtype=value(node).dtype)
        .reshape(-1, 1, high, wide)
        .repeat(channels, 1, 1, 1)
    )


def _grid(node: Node, image: tuple[int, ...]) -> tuple[int, ...] | None:
    """How many windows there are along each axis; None where some pixels at the end are in none."""
    counts = []
    axes = zip(
        image[-2:],
        *(_pair(node, name) for name in ("kernel_size", "stride", "padding", "dilation")),
        strict=True,
    )
    for extent, size, step, pad, apart in axes:
        free = extent + 2 * pad - apart * (size - 1) - 1
        if free % step:
            return None
        counts.append(free // step + 1)
    return tuple(counts)
