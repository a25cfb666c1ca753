"""Table of calls that can read another layout.

Any other call reads values in their original layout.
"""

from __future__ import annotations

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.rewrites.layout.sink_permute.axes import (
    joined,
    padded,
    part,
    piece,
    pieces,
    reduction,
    softmax,
)
from edgevit.rewrites.layout.sink_permute.channels import projection
from edgevit.rewrites.layout.sink_permute.layout_assignment import Handler, is_pointwise
from edgevit.rewrites.layout.sink_permute.norms import group_norm, layer_norm
from edgevit.rewrites.layout.sink_permute.pointwise import pointwise
from edgevit.rewrites.layout.sink_permute.products import product

_HANDLERS: dict[str, Handler] = {
    "linear": projection,
    "conv1d": projection,
    "conv2d": projection,
    "conv3d": projection,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "softmax": softmax,
    "mean": reduction,
    "sum": reduction,
    "amax": reduction,
    "amin": reduction,
    "linalg_vector_norm": reduction,
    "slice": part,
    "split": pieces,
    "split_with_sizes": pieces,
    "chunk": pieces,
    "getitem": piece,
    "cat": joined,
    "pad": padded,
    "constant_pad_nd": padded,
    "matmul": product,
    "bmm": product,
    "mm": product,
}


def handler(node: Node) -> Handler | None:
    return _HANDLERS.get(kind(node)) or (pointwise if is_pointwise(node) else None)
