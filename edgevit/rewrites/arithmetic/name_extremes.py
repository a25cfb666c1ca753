"""Maximum along an axis, of which nobody reads where it lies, as a reduction.

    max(x, axis).values   ->   reshape(amax(x, axis, keepdim=True))        min: amin

The same values. Runtimes have a kernel for the reduction with its axis kept, and forms of it with fewer axes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, op, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_REDUCTIONS = {"max.dim": aten.amax.default, "min.dim": aten.amin.default}


class NameExtremes(Rule[Match]):
    name: ClassVar[str] = "name-extremes"

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "getitem" or op(operand(node)) not in _REDUCTIONS:
            return None
        of_values = all(user.args[1] == 0 for user in operand(node).users)
        return Match(node) if of_values and shape(operand(operand(node))) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        extremes = operand(match.node)
        axes = [argument(extremes, "dim")]
        reduction = edit.call(_REDUCTIONS[op(extremes)], operand(extremes), axes, True)
        return edit.reshaped(reduction, shape(match.node))

    def replaces(self, match: Match) -> tuple[Node, ...]:
        return operand(match.node), match.node
