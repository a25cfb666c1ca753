"""Top k values without indices, gathered by the indices.

    topk(x, k, dim)[0]   ->   gather(x, dim, topk(x, k, dim)[1])

The same numbers. Without a reader of the indices, the converter writes a sort, which small runtimes
do not have.
"""

from __future__ import annotations

import operator
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule


class GatherTop(Rule[Match]):
    name: ClassVar[str] = "gather-top"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if op(node) != "getitem" or node.args[1] != 0:
            return None
        source = operand(node)
        if op(source) != "topk" or not shape(operand(source)):
            return None
        return None if any(read.args[1] == 1 for read in source.users) else Match(node)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        top = operand(match.node)
        places = edit.call(operator.getitem, top, 1)
        dimension = argument(top, "dim")
        return edit.call(torch.ops.aten.gather.default, top.args[0], dimension, places)
