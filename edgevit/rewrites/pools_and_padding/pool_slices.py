"""Pool over three axes, as one over rows and columns and one of slices along the first.

    max_pool3d(x, (2, 3, 3))      ->   max(y[:-1], y[1:])        y = max_pool2d(x, 3)
    avg_pool3d(x, (5, 1, 1))      ->   (x[0 ...] + ... + x[4 ...]) / 5

Means are in another order: hence `rtol`. ExecuTorch has no kernel for three axes.
"""

from __future__ import annotations

import functools
import math
from math import prod
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, per_dimension
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten


class PoolSlices(Rule[Match]):
    name: ClassVar[str] = "pool-slices"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        pools = kind(node) in ("max_pool3d", "avg_pool3d")
        return Match(node) if pools and value(node).is_floating_point() else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        if argument(node, "ceil_mode"):
            raise Refused("its last windows may hang over the edge")
        if kind(node) == "avg_pool3d" and argument(node, "divisor_override") is not None:
            raise Refused("it divides by a number of its own")
        if kind(node) == "avg_pool3d" and not argument(node, "count_include_pad") and any(_three(node, "padding")):  # fmt: skip
            raise Refused("its windows at the edge have fewer values")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        images = _images(node, edit)
        parts = _slices(node, images, edit)
        if kind(node) == "max_pool3d":
            return functools.reduce(lambda a, b: edit.call(aten.maximum.default, a, b), parts)
        total = functools.reduce(lambda a, b: edit.call(aten.add.Tensor, a, b), parts)
        return edit.call(aten.div.Tensor, total, len(parts)) if len(parts) > 1 else total


def _three(node: Node, name: str) -> tuple[int, ...]:
    return per_dimension(argument(node, name), 3)


def _stride(node: Node) -> tuple[int, ...]:
    stated: Any = argument(node, "stride")
    return per_dimension(stated, 3) if stated else _three(node, "kernel_size")


def _dilation(node: Node) -> tuple[int, ...]:
    return _three(node, "dilation") if kind(node) == "max_pool3d" else (1, 1, 1)


def _images(node: Node, edit: Edit) -> Node:
    """Pool over rows and columns, with the slices among the channels."""
    source, sizes = operand(node), shape(operand(node))
    window = [one[1:] for one in (_three(node, "kernel_size"), _stride(node), _three(node, "padding"), _dilation(node))]  # fmt: skip
    if window[:3] == [(1, 1), (1, 1), (0, 0)]:
        return source
    flat = edit.reshaped(source, [1, prod(sizes[:-2]), *sizes[-2:]])
    kernel, stride, padding, dilation = map(list, window)
    if kind(node) == "max_pool3d":
        pooled = edit.call(aten.max_pool2d.default, flat, kernel, stride, padding, dilation)
    else:
        pooled = edit.call(aten.avg_pool2d.default, flat, kernel, stride, padding)
    return edit.reshaped(pooled, [*sizes[:-2], *shape(pooled)[-2:]])


def _slices(node: Node, images: Node, edit: Edit) -> list[Node]:
    """Return what each place of the window sees along the first of the axes."""
    axis = len(shape(images)) - 3
    taps, step = _three(node, "kernel_size")[0], _stride(node)[0]
    amount, apart = _three(node, "padding")[0], _dilation(node)[0]
    if amount:
        outside = -math.inf if kind(node) == "max_pool3d" else 0.0
        pads = [0, 0, 0, 0, amount, amount]
        images = edit.call(aten.constant_pad_nd.default, images, pads, outside)
    reach = (shape(node)[axis] - 1) * step + 1
    return [
        edit.call(aten.slice.Tensor, images, axis, tap * apart, tap * apart + reach, step)
        for tap in range(taps)
    ]
