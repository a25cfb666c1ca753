"""Adaptive average pool with windows of unequal sizes, as a product with a matrix along each
axis.

    adaptive_avg_pool2d(x, (h, w))   ->   rows @ (x @ columns^T)      rows: h x H,   columns: w x W

The pool is linear and separable, so its matrix along one axis is what the op itself makes of the unit vectors of that
axis. The sums are taken in another order, hence `rtol`. Windows of one size are a plain average pool, which every
converter knows: such a pool stays.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import CallRule, Match, Refused

_AXES = {"adaptive_avg_pool1d": 1, "adaptive_avg_pool2d": 2, "_adaptive_avg_pool2d": 2}
_LARGEST = 1 << 24  # elements of the matrices: 64 MB


def _is_uneven(node: Node) -> bool:
    return any(extent % count for extent, count in _sizes(node))


class ExpandAdaptivePool(CallRule):
    name: ClassVar[str] = "expand-adaptive-pool"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call(*_AXES, where=_is_uneven)

    def check(self, match: Match, draft: Draft) -> None:
        elements = sum(extent * count for extent, count in _sizes(match.node))
        if elements > _LARGEST:
            raise Refused(f"the matrices would have {elements:,} elements")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        sizes, x = _sizes(node), operand(node)
        dtype = value(node).dtype
        columns = edit.constant(_matrix(*sizes[-1]).T.to(dtype), "columns")
        wide = edit.call(torch.ops.aten.matmul.default, x, columns)
        if len(sizes) == 1:
            return wide
        rows = edit.constant(_matrix(*sizes[0]).to(dtype), "rows")
        return edit.call(torch.ops.aten.matmul.default, rows, wide)


def _sizes(node: Node) -> list[tuple[int, int]]:
    """Return the number of pixels before and after, along each pooled axis."""
    axes = _AXES[kind(node)]
    return list(zip(shape(operand(node))[-axes:], shape(node)[-axes:], strict=True))


def _matrix(extent: int, count: int) -> torch.Tensor:
    """Return a row of weights for each window."""
    unit = torch.eye(extent, dtype=torch.float64).unsqueeze(0)
    return torch.nn.functional.adaptive_avg_pool1d(unit, count)[0].T
