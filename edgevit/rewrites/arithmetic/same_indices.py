"""Tensors that index together, all of one type of whole numbers.

    x[i32, i64]   ->   x[to(i32, int64), i64]

The same values. torch's ONNX exporter joins them into one tensor as they are, and ONNX Runtime does not take the file.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

aten = torch.ops.aten


class SameIndices(Rule[Match]):
    name: ClassVar[str] = "same-indices"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if node.target is not aten.index.Tensor:
            return None
        types = {value(index).dtype for index in _indices(node) if isinstance(index, Node)}
        return Match(node) if types == {torch.int32, torch.int64} else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        indices = [_widened(index, edit) for index in _indices(match.node)]
        return edit.call(aten.index.Tensor, operand(match.node), indices)


def _indices(node: Node) -> list[Any]:
    return list(argument(node, "indices"))


def _widened(index: Any, edit: Edit) -> Any:
    if not isinstance(index, Node) or value(index).dtype == torch.int64:
        return index
    return edit.call(aten.to.dtype, index, torch.int64)
