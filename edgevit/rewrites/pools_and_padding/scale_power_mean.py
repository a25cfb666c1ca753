"""Mean of powers, taken of values of at most 1 and scaled back.

    mean(clamp(x, e) ** p) ** (1 / p)   ->   m * mean((clamp(x, e) / m) ** p) ** (1 / p)        m = max(clamp(x, e))

The largest of each channel is `m`, and above 0 as `e` is. In float16 the cube of 41 is infinite: a generalised mean
(GeM) of large activations would be, too. Quotients are rounded once more: hence `rtol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_MEANS = frozenset({"mean", "avg_pool2d", "adaptive_avg_pool2d"})


@dataclass(frozen=True)
class PowerMean(Match):
    """Generalised mean. `node` is the root."""

    mean: Node
    power: Node
    source: Node


class ScalePowerMean(Rule[PowerMean]):
    name: ClassVar[str] = "scale-power-mean"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("fold-constants",)

    def match(self, node: Node, draft: Draft) -> PowerMean | None:
        root, mean = _exponent(node, draft), node.args[0] if node.args else None
        if root is None or not isinstance(mean, Node) or kind(mean) not in _MEANS:
            return None
        power = operand(mean)
        raised = _exponent(power, draft)
        if raised is None or raised <= 1 or abs(root * raised - 1) > 1e-6:
            return None
        return PowerMean(node, mean, power, operand(power)) if shape(operand(power)) else None

    def check(self, match: PowerMean, draft: Draft) -> None:
        if len(match.power.users) > 1 or len(match.mean.users) > 1:
            raise Refused("the powers are read by others too")
        if len(shape(match.source)) != 4 or not _is_over_images(match.mean):
            raise Refused("it is not over the places of an image")
        if _least(match.source) <= 0:
            raise Refused("what is raised may be 0 or less")

    def rewrite(self, match: PowerMean, edit: Edit) -> Node:
        largest = edit.call(aten.amax.default, match.source, [2, 3], True)
        part = edit.call(aten.div.Tensor, match.source, largest)
        raised = edit.again(match.power, part, match.power.args[1])
        mean = edit.again(match.mean, raised, *match.mean.args[1:], **match.mean.kwargs)
        root = edit.again(match.node, mean, match.node.args[1])
        flat = len(shape(match.node)) == 2
        scale = edit.reshaped(largest, list(shape(largest))[:2]) if flat else largest
        return edit.call(aten.mul.Tensor, root, scale)


def _exponent(node: Node, draft: Draft) -> float | None:
    if kind(node) != "pow" or not isinstance(node.args[0], Node):
        return None
    exponent = node.args[1]
    if isinstance(exponent, Node) and draft.is_constant(exponent):
        tensor = draft.tensor(exponent)
        return float(tensor) if tensor.numel() == 1 else None
    return float(exponent) if isinstance(exponent, int | float) else None


def _is_over_images(mean: Node) -> bool:
    """Check that a mean is over both image axes, so that one number scales all places of a channel.

    A pool always is.
    """
    if kind(mean) != "mean":
        return True
    return has_argument(mean, "dim") and {axis % 4 for axis in argument(mean, "dim")} == {2, 3}


def _least(source: Node) -> float:
    """Return the lower bound of a value by a clamp; -1 without one."""
    if kind(source) not in {"clamp", "clamp_min"}:
        return -1.0
    least = argument(source, "min")
    return float(least) if isinstance(least, int | float) else -1.0
