"""Factors and terms a channel, one after another, as one batch norm.

    (x * a + b) / c   ->   batch_norm(x, weight=a / c, bias=b / c, mean=0, variance=1)

It is one pass over the image instead of one a call, and none of the values between them is kept. Where a convolution
takes the chain in, `collapse-linear` was there first; where the numbers of all channels are alike, the chain is a
function of one value, and a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.convolutions.collapse_linear.form import LinearForm, composed
from edgevit.rewrites.convolutions.collapse_linear.steps import linear_input
from edgevit.rewrites.norms.affine import affine_step, batch_norm, factors_of
from edgevit.rewrites.rule import Match, Rule


@dataclass(frozen=True)
class Chain(Match):
    source: Node
    form: LinearForm  # of the node, over the source


class JoinAffine(Rule[Chain]):
    name: ClassVar[str] = "join-affine"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Chain | None:
        form = affine_step(node, draft)
        if form is None or _goes_on(node, draft):
            return None
        source, length = linear_input(node), 1
        assert source is not None
        while _goes_on(source, draft) and (step := affine_step(source, draft)):
            form, length = composed(form, step), length + 1
            source = linear_input(source)
            assert source is not None
        return Chain(node, source, form) if length > 1 and not _alike(form) else None

    def rewrite(self, match: Chain, edit: Edit) -> Node:
        return batch_norm(match.source, factors_of(match.form), match.form.bias, edit)


def _goes_on(node: Node, draft: Draft) -> bool:
    """Check that the only reader is one more step of the chain."""
    return len(node.users) == 1 and affine_step(next(iter(node.users)), draft) is not None


def _alike(form: LinearForm) -> bool:
    return all(bool((numbers == numbers[0]).all()) for numbers in (factors_of(form), form.bias))
