"""Products that quantise what they read, row by row, as they run.

The runtime does so for a product of floats whose weights are integers. The converter writes such a
product with a DEQUANTIZE of its weights, which is taken out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.tflite.flatbuffer import positions_of, read_model, write_model
from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program

_WEIGHT = 1  # its place among a product's inputs


def is_dynamic(program: Program) -> bool:
    return any(kind(node) == "dequantize_per_token" for node in program.calls())


def with_float_rows(program: Program) -> Program:
    """Return the program without the pairs around what such products read."""
    draft = Draft(program)
    for node in list(draft.graph.nodes):
        if kind(node) == "dequantize_per_token":
            quantized = node.all_input_nodes[0]
            node.replace_all_uses_with(quantized.all_input_nodes[0])
    return draft.program()


def read_integer_weights(path: Path) -> None:
    """Let products of floats read their weights as integers."""
    model = read_model(path)
    products = positions_of(model, "FULLY_CONNECTED")
    widened = positions_of(model, "DEQUANTIZE")
    for graph in model.subgraphs:
        integers = {
            op.outputs[0]: op.inputs[0]
            for op in graph.operators
            if op.opcodeIndex in widened and _is_constant(graph.tensors[op.inputs[0]], model)
        }
        for op in graph.operators:
            if op.opcodeIndex in products and op.inputs[_WEIGHT] in integers:
                op.inputs = [integers.get(tensor, tensor) for tensor in op.inputs]
                op.builtinOptions.asymmetricQuantizeInputs = True
        read = {tensor for op in graph.operators for tensor in op.inputs} | {*graph.outputs}
        graph.operators = [
            op for op in graph.operators if op.outputs[0] not in integers or op.outputs[0] in read
        ]
    write_model(model, path)


def _is_constant(tensor: Any, model: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
