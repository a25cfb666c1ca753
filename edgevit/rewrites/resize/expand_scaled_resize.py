"""Bilinear resizing by a scale that differs from the ratio of sizes, as two products with
constant matrices.

    bilinear(x, scale 1.3: 7 -> 9 pixels)   ->   rows @ (x @ columns^T)

The op steps by 1 / 1.3, and a runtime that is given sizes alone steps by 7 / 9. The matrices are those of
`expand-resize`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, operand
from edgevit.graph.pattern import Pattern, call
from edgevit.graph.program import shape
from edgevit.rewrites.resize.expand_resize import ExpandResize


class ExpandScaledResize(ExpandResize):
    name: ClassVar[str] = "expand-scaled-resize"
    pattern: ClassVar[Pattern] = call(
        "upsample_bilinear2d", align_corners=False, where=lambda node: not scale_is_told(node)
    )


def scale_is_told(node: Node) -> bool:
    """Check that the sizes of a 2-D resize determine its scale."""
    axes = zip(_scales(node), shape(operand(node))[2:], shape(node)[2:], strict=True)
    return all(scale is None or extent * scale == out for scale, extent, out in axes)


def _scales(node: Node) -> Sequence[float | None]:
    if has_argument(node, "scale_factors"):
        return argument(node, "scale_factors") or (None, None)
    return argument(node, "scales_h"), argument(node, "scales_w")
