"""Padding of a convolution, for every notation of its call."""

from __future__ import annotations

from torch.fx.node import Node

from edgevit.graph.aten import argument, per_dimension
from edgevit.graph.program import shape

Pads = tuple[tuple[int, int], ...]


def padding_of(convolution: Node) -> Pads:
    """Return the padding before and behind, along each axis.

    `same` puts an odd remainder behind.
    """
    padding = argument(convolution, "padding")
    window = shape(argument(convolution, "weight"))[2:]
    if padding == "valid":
        return ((0, 0),) * len(window)
    if padding == "same":
        dilation = per_dimension(argument(convolution, "dilation"), len(window))
        spans = [apart * (size - 1) for apart, size in zip(dilation, window, strict=True)]
        return tuple((span // 2, span - span // 2) for span in spans)
    return tuple((pad, pad) for pad in per_dimension(padding, len(window)))


def pads(convolution: Node) -> bool:
    return any(amount for axis in padding_of(convolution) for amount in axis)
