"""Inputs and outputs of integers: a file for the NPU converts no floats, which its CPU would have to.

image -> QUANTIZE -> conv ... -> linear -> DEQUANTIZE -> logits
image (int8) -> conv ... -> linear -> logits (int8)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.tflite import positions_of, read_model, write_model


def remove_conversions(path: Path) -> None:
    """Let the file take and return the integers behind its first and before its last ops."""
    model = read_model(path)
    for graph in model.subgraphs:
        inputs = _conversions(graph, positions_of(model, "QUANTIZE"), graph.inputs)
        outputs = _results(graph, positions_of(model, "DEQUANTIZE"))
        moved = {**inputs, **outputs}
        graph.operators = [op for op in graph.operators if not _is_removed(op, inputs, outputs)]
        for before, after in moved.items():
            graph.tensors[after].name = graph.tensors[before].name
        graph.inputs = [moved.get(tensor, tensor) for tensor in graph.inputs]
        graph.outputs = [moved.get(tensor, tensor) for tensor in graph.outputs]
        for signature in model.signatureDefs or ():
            for port in (*signature.inputs, *signature.outputs):
                port.tensorIndex = moved.get(port.tensorIndex, port.tensorIndex)
    write_model(model, path)


def _conversions(graph: Any, kinds: frozenset[int], inputs: Any) -> dict[int, int]:
    """Map each input that one op converts, and none else reads, to the converted tensor."""
    readers = {tensor: [op for op in graph.operators if tensor in op.inputs] for tensor in inputs}
    return {
        tensor: ops[0].outputs[0]
        for tensor, ops in readers.items()
        if len(ops) == 1 and ops[0].opcodeIndex in kinds
    }


def _results(graph: Any, kinds: frozenset[int]) -> dict[int, int]:
    """Map each output that an op converts to the integers that it reads."""
    results: dict[int, int] = {}
    for op in graph.operators:
        result, source = op.outputs[0], op.inputs[0] if len(op.inputs) else -1
        is_read = any(result in other.inputs for other in graph.operators)
        is_shared = source in graph.outputs or source in results.values()
        if op.opcodeIndex in kinds and result in graph.outputs and not is_read and not is_shared:
            results[result] = source
    return results


def _is_removed(op: Any, inputs: dict[int, int], outputs: dict[int, int]) -> bool:
    return op.outputs[0] in inputs.values() or op.outputs[0] in outputs
