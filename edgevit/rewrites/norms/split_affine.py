"""A factor and a term a channel behind joined convolutions, part by part.

    batch_norm(cat(conv(x), conv(y)))   ->   cat(batch_norm(conv(x)), batch_norm(conv(y)))

`collapse-linear` then takes each part into its convolution: the image is passed over once less. In integers it is
more than that. Channels before a norm have sizes of their own, and one grid for all of them loses the small ones.
At most one part may be no convolution: there are no more calls than before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand_list
from edgevit.graph.calls import Conv
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.collapse_linear.form import LinearForm
from edgevit.rewrites.convolutions.collapse_linear.steps import linear_input
from edgevit.rewrites.norms.affine import affine_step, batch_norm, factors_of
from edgevit.rewrites.rule import Match, Refused, Rule


@dataclass(frozen=True)
class Joined(Match):
    joined: Node
    form: LinearForm

    @property
    def parts(self) -> list[Node]:
        return operand_list(self.joined)


class SplitAffine(Rule[Joined]):
    name: ClassVar[str] = "split-affine"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Joined | None:
        joined = linear_input(node)
        if joined is None or kind(joined) != "cat" or argument(joined, "dim") not in (1, -3):
            return None
        form = affine_step(node, draft)
        if form is None or not any(map(Conv.of, operand_list(joined))):
            return None
        return Joined(node, joined, form)

    def check(self, match: Joined, draft: Draft) -> None:
        if len(match.joined.users) > 1:
            raise Refused("the joined value has a second reader, so it is computed all the same")
        others = [part for part in match.parts if not (Conv.of(part) and len(part.users) == 1)]
        if len(others) > 1:
            raise Refused(f"{len(others)} of its parts are no convolutions that nothing else reads")

    def rewrite(self, match: Joined, edit: Edit) -> Node:
        sizes = [shape(part)[1] for part in match.parts]
        factors, terms = (
            torch.split(factors_of(match.form), sizes),
            torch.split(match.form.bias, sizes),
        )
        parts = [
            batch_norm(part, own, term, edit)
            for part, own, term in zip(match.parts, factors, terms, strict=True)
        ]
        return edit.call(torch.ops.aten.cat.default, parts, 1)
