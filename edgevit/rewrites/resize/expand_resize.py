"""Bicubic and antialiased resizing as two products with constant matrices.

    bicubic(x)   ->   rows @ (x @ columns^T)      rows: H_out x H,   columns: W_out x W

Resizing is linear and separable, so its matrix along one axis is what the op itself makes of the unit
vectors of that axis: corner alignment, given scales and antialiasing follow by construction. The sums are
taken in another order than the kernel does, hence `rtol`. Core ML has no bicubic resize, and coremltools
writes an antialiased bilinear one as if it were not antialiased.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, operand, parameter_names, run_call
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import CallRule, Match, Refused

_RESIZES = frozenset({"upsample_bicubic2d", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa"})
_LARGEST = 1 << 24  # elements of both matrices: 64 MB


class ExpandResize(CallRule):
    name: ClassVar[str] = "expand-resize"
    rtol: ClassVar[float] = 1e-5
    pattern: ClassVar[Pattern] = call(*_RESIZES)

    def check(self, match: Match, draft: Draft) -> None:
        if not value(match.node).is_floating_point():
            raise Refused(
                "integer pixels are rounded after each axis, and a matrix product does not round"
            )
        before, after = shape(operand(match.node)), shape(match.node)
        elements = sum(a * b for a, b in zip(before[2:], after[2:], strict=True))
        if elements > _LARGEST:
            raise Refused(f"the two matrices would have {elements:,} elements")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        rows = edit.constant(_matrix(node, axis=2), "rows")
        columns = edit.constant(_matrix(node, axis=3).T, "columns")
        wide = edit.call(torch.ops.aten.matmul.default, node.args[0], columns)
        return edit.call(torch.ops.aten.matmul.default, rows, wide)


def _matrix(node: Node, axis: int) -> torch.Tensor:
    """Apply the op to an image whose channels are the unit vectors of one axis.

    The other axis has two equal pixels that stay two: with one, torch 2.13's antialiasing kernel
    interpolates along the wrong axis.
    """
    extent = shape(operand(node))[axis]
    image = torch.eye(extent).unsqueeze(0).unsqueeze(5 - axis).repeat_interleave(2, 5 - axis)
    arguments = {name: argument(node, name) for name in parameter_names(node)[1:]}
    arguments |= _for_one_axis(node, arguments, axis)
    resized = run_call(node, image, **arguments)
    return resized.select(5 - axis, 0)[0].T.to(value(node).dtype)


def _for_one_axis(node: Node, arguments: dict[str, Any], axis: int) -> dict[str, Any]:
    """Change the arguments so that along the other axis two pixels stay two pixels."""
    changed: dict[str, Any] = {}
    if arguments["output_size"] is not None:
        changed["output_size"] = [
            shape(node)[2] if axis == 2 else 2,
            shape(node)[3] if axis == 3 else 2,
        ]
    if arguments.get("scale_factors") is not None:
        height, width = arguments["scale_factors"]
        changed["scale_factors"] = [height if axis == 2 else 1.0, width if axis == 3 else 1.0]
    if has_argument(node, "scales_h"):
        changed["scales_w" if axis == 2 else "scales_h"] = None
    return changed
