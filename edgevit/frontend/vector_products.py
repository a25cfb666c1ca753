"""Linear layers whose weight is a vector -> matrix products.

    linear(x, w)   ->   matmul(x, w)        w: [in], and the result has no last axis

PyTorch takes such a weight; rules and converters read a linear's weight as a matrix.
"""

from __future__ import annotations

import torch
from torch import fx

from edgevit.graph.aten import argument, kind

_ATEN = torch.ops.aten


def multiply_vectors(graph: fx.Graph) -> None:
    """Replace the linears by products, in place."""
    for node in list(graph.nodes):
        if kind(node) != "linear":
            continue
        rows, weight, bias = (argument(node, name) for name in ("input", "weight", "bias"))
        if weight.meta["val"].ndim != 1:
            continue
        with graph.inserting_before(node):
            new = graph.call_function(_ATEN.matmul.default, (rows, weight))
            new.meta = dict(node.meta)
            if bias is not None:
                new = graph.call_function(_ATEN.add.Tensor, (new, bias))
                new.meta = dict(node.meta)
        node.replace_all_uses_with(new)
        graph.erase_node(node)
