"""Factors and terms a channel, one after another, as one batch norm.

    (x * a + b) / c   ->   batch_norm(x, weight=a / c, bias=b / c, mean=0, variance=1)

It is one pass over the image instead of one a call, and none of the values between them is kept. Where a convolution
takes the chain in, `collapse-linear` was there first; where the numbers of all channels are alike, the chain is a
function of one value, and a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.convolutions.collapse_linear.form import LinearForm, composed
from edgevit.rewrites.convolutions.collapse_linear.steps import FIRST, linear_input, step_of
from edgevit.rewrites.rule import Match, Rule

_STEPS = {"mul", "div", "add", "sub", "batch_norm"}
_RANK = 4  # an image with its batch


@dataclass(frozen=True)
class Chain(Match):
    source: Node
    form: LinearForm  # of the node, over the source


class JoinAffine(Rule[Chain]):
    name: ClassVar[str] = "join-affine"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Chain | None:
        form = _step(node, draft)
        if form is None or _goes_on(node, draft):
            return None
        source, length = linear_input(node), 1
        assert source is not None
        while _goes_on(source, draft) and (step := _step(source, draft)):
            form, length = composed(form, step), length + 1
            source = linear_input(source)
            assert source is not None
        return Chain(node, source, form) if length > 1 and not _alike(form) else None

    def rewrite(self, match: Chain, edit: Edit) -> Node:
        dtype = value(match.node).dtype
        none = torch.zeros(match.form.outs, dtype=dtype)
        weight, bias, mean, variance = (
            edit.constant(numbers.to(dtype), name)
            for name, numbers in (
                ("weight", _factors(match.form)),
                ("bias", match.form.bias),
                ("mean", none),
                ("variance", none + 1),
            )
        )
        return edit.call(
            torch.ops.aten.batch_norm.default,
            match.source, weight, bias, mean, variance, False, 0.0, 0.0, False,
        )  # fmt: skip


def _step(node: Node, draft: Draft) -> LinearForm | None:
    if kind(node) not in _STEPS or linear_input(node) is None or len(shape(node)) != _RANK:
        return None
    return step_of(node, draft, FIRST)


def _goes_on(node: Node, draft: Draft) -> bool:
    """Check that the only reader is one more step of the chain."""
    return len(node.users) == 1 and _step(next(iter(node.users)), draft) is not None


def _factors(form: LinearForm) -> torch.Tensor:
    return form.kernel().reshape(-1)


def _alike(form: LinearForm) -> bool:
    return all(bool((numbers == numbers[0]).all()) for numbers in (_factors(form), form.bias))
