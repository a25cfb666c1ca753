"""A one-dimensional convolution reads weights that nobody else reads.

    conv1d(x, w), other(w)   ->   conv1d(x, copy of w), other(w)

The same bits. ExecuTorch's converter gives such weights a fourth axis in place, and what else reads them then finds
weights of another shape.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

_CONVOLUTIONS = frozenset({"conv1d", "conv_transpose1d", "convolution"})


class OwnWeights(Rule[Match]):
    name: ClassVar[str] = "own-weights"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _CONVOLUTIONS or len(shape(node)) != 3:
            return None
        weight = argument(node, "weight")
        if not draft.is_constant(weight):
            return None
        reads = draft.graph.find_nodes(op="get_attr", target=weight.target)
        return Match(node) if sum(len(read.users) for read in reads) > 1 else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        weight = argument(node, "weight")
        own = edit.constant(edit.draft.tensor(weight).clone(), "weight")
        arguments = [own if given is weight else given for given in node.args]
        keywords = {name: own if given is weight else given for name, given in node.kwargs.items()}
        assert isinstance(node.target, torch._ops.OpOverload)
        return edit.call(node.target, *arguments, **keywords)
