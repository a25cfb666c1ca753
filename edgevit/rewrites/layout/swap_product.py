"""Product of two transposed matrices, as the transpose of the product the other way round.

    x.mT @ y.mT   ->   (y @ x).mT

The same sums. LiteRT's converter takes both transposes into a product of one matrix each, and the interpreter does not
take the file.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, node_argument
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_PERMUTES = frozenset({"permute", "transpose", "mT", "swapaxes"})


class SwapProduct(Rule[Match]):
    name: ClassVar[str] = "swap-product"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in ("bmm", "matmul"):
            return None
        return Match(node) if all(map(_is_transposed, _factors(node))) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        first, second = (factor.all_input_nodes[0] for factor in _factors(match.node))
        product = edit.call(aten.matmul.default, second, first)
        return edit.call(aten.permute.default, product, _last_two_swapped(len(shape(product))))


def _factors(node: Node) -> tuple[Node, Node]:
    return node_argument(node, "self"), node_argument(
        node, "mat2" if kind(node) == "bmm" else "other"
    )


def _is_transposed(factor: Node) -> bool:
    rank = len(shape(factor))
    if kind(factor) not in _PERMUTES or rank < 2:
        return False
    return list(permutation_of(factor)) == _last_two_swapped(rank)


def _last_two_swapped(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]
