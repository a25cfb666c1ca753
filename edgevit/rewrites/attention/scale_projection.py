"""Folding of a product with one number into the weights of the projection that its factor
comes from.

    linear(x, W, b) -> views -> matmul(., k) -> * s   ->   linear(x, s * W, s * b) -> views -> matmul(., k)

Reshapes, permutes and products of matrices let a number through. It is the scale of an attention's scores, and the
pass over all scores that it cost is gone. Each weight is rounded once more: hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.convolutions.linear_calls import is_projection, with_weights
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Match, Rule

_THROUGH = RESHAPES | {"permute", "transpose", "slice", "select", "matmul", "bmm"}


@dataclass(frozen=True)
class ScaledProjection(Match):
    projection: Node
    path: tuple[Node, ...]  # from behind the projection to before the product
    factor: float


class ScaleProjection(Rule[ScaledProjection]):
    name: ClassVar[str] = "scale-projection"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("split-projection",)

    def match(self, node: Node, draft: Draft) -> ScaledProjection | None:
        factor = _factor(node, draft)
        if factor is None or not value(node).is_floating_point():
            return None
        path: list[Node] = []
        source = operand(node)
        while kind(source) in _THROUGH:
            if len(source.users) > 1:
                return None
            path.insert(0, source)
            source = operand(source)
        alone = len(source.users) == 1 and is_projection(source, draft)
        return ScaledProjection(node, source, tuple(path), factor) if alone else None

    def rewrite(self, match: ScaledProjection, edit: Edit) -> Node:
        result = with_weights(match.projection, lambda tensor: tensor * match.factor, edit)
        for step in match.path:
            result = edit.again(step, result, *step.args[1:], **step.kwargs)
        return result


def _factor(node: Node, draft: Draft) -> float | None:
    """Return the factor of a product with a number, or of a quotient by one."""
    if kind(node) not in {"mul", "div"} or node.kwargs or not isinstance(node.args[0], Node):
        return None
    number = node.args[1]
    if isinstance(number, Node):
        if not draft.is_constant(number) or value(number).numel() != 1 or value(number).ndim:
            return None
        number = float(draft.tensor(number))
    if not isinstance(number, int | float):
        return None
    return float(number) if kind(node) == "mul" else 1 / number if number else None
