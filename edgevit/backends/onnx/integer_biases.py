"""Biases of products that store floats, as ONNX Runtime's kernels read them.

    linear(dequantize(x), dequantize(w), b)   ->   linear(dequantize(x), dequantize(w), dequantize(round(b / step)))

The step is that of x times that of each row of w. Without it the runtime multiplies floats.
"""

from __future__ import annotations

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program

_OPS = torch.ops.quantized_decomposed
_LEAST, _MOST = -(2**31), 2**31 - 1


def with_integer_biases(program: Program) -> Program:
    draft = Draft(program)
    products = [node for node in draft.graph.nodes if _stores_floats(node)]
    for node in products:
        _give_integers(node, argument(node, "bias"), draft)
    return draft.program() if products else program


def _stores_floats(node: Node) -> bool:
    """Check for a product of integers with a bias, whose result nothing rounds."""
    if kind(node) != "linear" or argument(node, "bias") is None:
        return False
    return (
        operand(node).target is _OPS.dequantize_per_tensor.default
        and argument(node, "weight").target is _OPS.dequantize_per_channel.default
        and all(user.target is not _OPS.quantize_per_tensor.default for user in node.users)
    )


def _give_integers(node: Node, bias: Node, draft: Draft) -> None:
    scale = operand(node).args[1]
    assert isinstance(scale, float)
    steps = draft.tensor(argument(node, "weight").args[1]).double() * scale
    integers = (draft.tensor(bias).double() / steps).round()
    if integers.abs().max() > _MOST:
        return
    edit = Edit(draft, "quantize", node)
    constants = (
        edit.constant(integers.to(torch.int32), "bias"),
        edit.constant(steps.float(), "scales"),
        edit.constant(torch.zeros(len(steps), dtype=torch.int64), "zeros"),
    )
    floats = edit.call(
        _OPS.dequantize_per_channel.default, *constants, 0, _LEAST, _MOST, torch.int32
    )
    node.replace_input_with(bias, floats)
