"""A hardtanh of which the upper limit alone is the default, as a clamp.

    hardtanh(x, 0, 1)   ->   clamp(x, 0, 1)

PyTorch's tracing leaves out the 1, and ExecuTorch's pass that fuses activations into what is before them asks for it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand
from edgevit.graph.edit import Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.rewrites.rule import SAME_VALUES, CallRule, Match

_DEFAULTS = (-1, 1)


def _limits(node: Node) -> tuple[float, float]:
    return argument(node, "min_val"), argument(node, "max_val")


class ClampHardtanh(CallRule):
    name: ClassVar[str] = "clamp-hardtanh"
    rtol: ClassVar[float] = SAME_VALUES
    pattern: ClassVar[Pattern] = call(
        "hardtanh", where=lambda node: _limits(node)[1] == 1 and _limits(node) != _DEFAULTS
    )

    def rewrite(self, match: Match, edit: Edit) -> Node:
        return edit.call(torch.ops.aten.clamp.default, operand(match.node), *_limits(match.node))
