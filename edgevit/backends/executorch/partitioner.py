"""XNNPACK's partitioner, without the ops that its converter misreads or its runtime refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.fx import GraphModule
from torch.fx.node import Node
from torch.fx.passes.infra.pass_base import PassResult

from edgevit.backends.executorch.tool import module
from edgevit.graph.aten import operand
from edgevit.graph.program import shape

_MOST_AXES = 6  # XNN_MAX_TENSOR_DIMS
_SIGNED = frozenset({"atan2", "copysign", "signbit"})  # to them -0 is another number than 0
_MOVES = frozenset(
    {"view_copy", "expand_copy", "permute_copy", "slice_copy", "squeeze_copy", "unsqueeze_copy",
     "cat", "clone", "_to_dim_order_copy", "_clone_dim_order"}
)  # fmt: skip


def read_apart(graph_module: GraphModule) -> PassResult:
    """Give each reader of integers a dequantize call of its own.

    A call that was decomposed reads one in several places. XNNPACK changes the layout for one of
    them, and for the others too without telling them.
    """
    changed = False
    for node in list(graph_module.graph.nodes):
        if not _name(node).startswith("dequantize_per_tensor"):
            continue
        for reader in list(node.users)[1:]:
            with graph_module.graph.inserting_after(node):
                reader.replace_input_with(node, graph_module.graph.node_copy(node))
            changed = True
    graph_module.recompile()
    return PassResult(graph_module, changed)


def partitioner() -> Any:
    xnnpack = module("backends.xnnpack.partition.xnnpack_partitioner").XnnpackPartitioner()
    for config in xnnpack.target_partitioner_configs.values():
        config.check_constraints = _held_back(config.check_constraints)
    return xnnpack


def _held_back(accepts: Callable[[Node, Any], bool]) -> Callable[[Node, Any], bool]:
    """Restrict what XNNPACK's partitioner accepts.

    Calls that are declined here go to the portable kernels, which take them.
    """
    return lambda node, exported: _is_taken(node) and accepts(node, exported)


def _is_taken(node: Node) -> bool:
    if any(tensor.ndim > _MOST_AXES for tensor in _tensors(node)):
        return False
    if _name(node) == "prelu":
        return len(shape(operand(node))) == 4
    if _name(node) == "addmm":  # it forgets factors, and adds a row whatever the shape
        factors = (node.kwargs.get(name, 1) for name in ("alpha", "beta"))
        return all(factor == 1 for factor in factors) and shape(operand(node)) == shape(node)[1:]
    if _name(node) == "neg":  # its -0 is 0
        return not _sign_is_read(node)
    if _name(node) == "slice_copy":
        start = node.args[2] if len(node.args) > 2 else 0
        axis = node.args[1] if len(node.args) > 1 else 0
        return not isinstance(start, int) or start >= -shape(operand(node))[axis]  # type: ignore[index]
    return True


def _sign_is_read(node: Node) -> bool:
    pending, seen = [node], {node}
    while pending:
        users = [user for user in pending.pop().users if user not in seen]
        seen.update(users)
        if any(_name(user) in _SIGNED for user in users):
            return True
        pending += [user for user in users if _name(user) in _MOVES]
    return False


def _name(node: Node) -> str:
    """Return the op's base name:

    `slice_copy` for `edge.aten.slice_copy.Tensor`, which wraps ATen's.
    """
    name = str(getattr(node.target, "__name__", ""))
    return name.removeprefix("aten.").removeprefix("quantized_decomposed.").partition(".")[0]


def _tensors(node: Node) -> Iterator[torch.Tensor]:
    for each in (node, *node.all_input_nodes):
        output = each.meta.get("val")
        for tensor in output if isinstance(output, list | tuple) else (output,):
            if isinstance(tensor, torch.Tensor):
                yield tensor
