"""Source indices along an axis, for calls that only pick values by their place."""

from __future__ import annotations

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, operand, parameter_names, run_call
from edgevit.graph.edit import Edit
from edgevit.graph.program import shape
from edgevit.graph.tensors import integers


def probed_indices(node: Node, axis: int) -> torch.Tensor:
    """Find the source indices by running the call on the numbers 0, 1, 2 ... along the axis.

    Axes before the third keep length 1.
    """
    sizes = [1, 1, *shape(operand(node))[2:]] if axis >= 2 else list(shape(operand(node)))
    along = [sizes[axis] if k == axis else 1 for k in range(len(sizes))]
    numbers = torch.arange(sizes[axis], dtype=torch.float64).reshape(along).expand(sizes)
    arguments = {name: argument(node, name) for name in parameter_names(node)[1:]}
    picked = run_call(node, numbers.contiguous(), **arguments)
    return picked.movedim(axis, 0).flatten(1)[:, 0].long()


def selected(x: Node, axis: int, indices: torch.Tensor, edit: Edit) -> Node:
    """Select values along an axis; return `x` itself where every value stays in its place."""
    if integers(indices) == list(range(shape(x)[axis])):
        return x
    places = edit.constant(indices, "places")
    return edit.call(torch.ops.aten.index_select.default, x, axis, places)
