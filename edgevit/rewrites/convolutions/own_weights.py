"""Separate copies of convolution weights that are shared with another kind of call.

A one-dimensional convolution shares them with no call at all.

    conv1d(x, w), other(w)             ->   conv1d(x, copy of w), other(w)
    conv2d(x, w), conv_transpose(y, w) ->   conv2d(x, copy of w), conv_transpose(y, w)

The same bits. ExecuTorch's converter gives the weights of the first a fourth axis in place, and turns those of the last: what else
reads them then finds other weights.
"""

from __future__ import annotations

from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

_CONVOLUTIONS = frozenset(
    {"conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolution"}
)


class OwnWeights(Rule[Match]):
    name: ClassVar[str] = "own-weights"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _CONVOLUTIONS:
            return None
        weight = argument(node, "weight")
        if not draft.is_constant(weight):
            return None
        reads = draft.graph.find_nodes(op="get_attr", target=weight.target)
        readers = [user for read in reads for user in read.users]
        alike = len(shape(node)) == 4 and len({kind(reader) for reader in readers}) == 1
        return Match(node) if len(readers) > 1 and not alike else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        weight = argument(node, "weight")
        own = edit.constant(edit.draft.tensor(weight).clone(), "weight")
        return edit.copied(node, lambda source: own if source is weight else source)
