"""Mean over a large image, as a mean of means.

    mean(x, [2, 3])   ->   mean(avg_pool2d(x, 8), [2, 3])        x of 56 x 56

XNNPACK adds the values of an image one after the other. On a picture of one colour, each of its sums rounds the same way: the mean of 56 x 56 values was 2e-5 off
(PyTorch: 3e-7), which three layers of local attention made 2e-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import Match, Rule

aten = torch.ops.aten
_MOST = 1024  # values in a sum
_WIDEST = 8


@dataclass(frozen=True)
class LargeImage(Match):
    window: tuple[int, int]


class MeanInSteps(Rule[LargeImage]):
    name: ClassVar[str] = "mean-in-steps"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> LargeImage | None:
        if not _is_of_image(node):
            return None
        image = shape(operand(node))[2:]
        window = _divisor(image[0]), _divisor(image[1])
        return LargeImage(node, window) if prod(image) > _MOST and min(window) > 1 else None

    def rewrite(self, match: LargeImage, edit: Edit) -> Node:
        node, window = match.node, list(match.window)
        means = edit.call(aten.avg_pool2d.default, operand(node), window, window)
        return edit.again(node, means, *node.args[1:], **node.kwargs)


def _is_of_image(node: Node) -> bool:
    """Check for a mean over both axes of images."""
    if kind(node) not in ("mean", "adaptive_avg_pool2d") or len(shape(operand(node))) != 4:
        return False
    if value(operand(node)).dtype != torch.float32 or value(node).dtype != torch.float32:
        return False
    if kind(node) == "adaptive_avg_pool2d":
        return tuple(shape(node)[2:]) == (1, 1)
    axes = argument(node, "dim") if has_argument(node, "dim") else None
    return axes is not None and sorted(axis % 4 for axis in axes) == [2, 3]


def _divisor(size: int) -> int:
    return next(d for d in range(_WIDEST, 0, -1) if size % d == 0)
