"""Padding of an image that only windows read: each window pads by itself.

The padded copy of the image is then never there.
"""

from __future__ import annotations

from dataclasses import replace

from edgevit.integer.graph import IntegerGraph, Op
from edgevit.integer.ops.moves import Pad
from edgevit.integer.ops.products import Conv2d, Depthwise
from edgevit.integer.rewrites.rebuilder import Rebuilder

_MOST = 255  # what the kernels' fields hold


def fold_padding(graph: IntegerGraph) -> IntegerGraph:
    builder = Rebuilder(graph)
    for op in graph.ops:
        builder.add(_padded_by_itself(op, builder))
    return builder.graph(graph.outputs)


def _padded_by_itself(op: Op, builder: Rebuilder) -> Op:
    """Return a convolution with the padding that stands before it; any other operation as it is."""
    if not isinstance(op, Conv2d | Depthwise):
        return op
    before = builder.maker(op.source)
    if not isinstance(before, Pad) or before.sides[-1] != (0, 0):
        return op
    own = op.window.padding
    if any(own) and op.pad_value != before.value:
        return op
    (top, bottom), (left, right) = before.sides[:2]
    both = zip(own, (top, left, bottom, right), strict=True)
    padding = tuple(inner + outer for inner, outer in both)
    spans = op.window.spans
    # a window that lies outside the image as a whole is no form of the kernels
    if any(amount >= min(span, _MOST + 1) for amount, span in zip(padding, spans * 2, strict=True)):
        return op
    window = replace(op.window, padding=padding)
    return replace(op, inputs=before.inputs, window=window, pad_value=before.value)
