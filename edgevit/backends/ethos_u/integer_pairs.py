"""Integers that the file turns into floats and back at once: an NPU without floats takes neither.

pool -> DEQUANTIZE -> QUANTIZE -> conv   ->   pool -> conv                on one encoding: the same integers
pool -> DEQUANTIZE -> QUANTIZE -> conv   ->   pool -> QUANTIZE -> conv    on two
conv -> DEQUANTIZE -> ARG_MAX            ->   conv -> ARG_MAX             the place is the same
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.tflite import positions_of, read_model, write_model


def join_conversions(path: Path) -> int:
    """Join the pairs of the file; return how many there were."""
    model = read_model(path)
    to_floats, to_integers = (positions_of(model, name) for name in ("DEQUANTIZE", "QUANTIZE"))
    places = positions_of(model, "ARG_MAX") | positions_of(model, "ARG_MIN")
    count = sum(_joined(graph, to_floats, to_integers, places) for graph in model.subgraphs)
    if count:
        write_model(model, path)
    return count


def _joined(
    graph: Any, to_floats: frozenset[int], to_integers: frozenset[int], places: frozenset[int]
) -> int:
    integers = {
        op.outputs[0]: op.inputs[0] for op in graph.operators if op.opcodeIndex in to_floats
    }
    pairs = [
        op for op in graph.operators if op.opcodeIndex in to_integers and op.inputs[0] in integers
    ]
    of_places = [
        op for op in graph.operators if op.opcodeIndex in places and op.inputs[0] in integers
    ]
    for op in of_places:
        op.inputs = [integers[op.inputs[0]], *op.inputs[1:]]
    same: dict[int, int] = {}  # result of a pair on one encoding: the integers that it is
    for op in pairs:
        stored: int = integers[op.inputs[0]]
        source = same.get(stored, stored)
        op.inputs = [source]
        result = op.outputs[0]
        if result not in graph.outputs and _are_alike(graph.tensors[source], graph.tensors[result]):
            same[result] = source
    rest = [op for op in graph.operators if op.outputs[0] not in same]
    for op in rest:
        op.inputs = [same.get(tensor, tensor) for tensor in op.inputs]
    read = {tensor for op in rest for tensor in op.inputs} | set(graph.outputs)
    graph.operators = [
        op for op in rest if op.opcodeIndex not in to_floats or op.outputs[0] in read
    ]
    return len(pairs) + len(of_places)


def _are_alike(one: Any, other: Any) -> bool:
    encodings = [
        (tensor.type, list(tensor.quantization.scale), list(tensor.quantization.zeroPoint))
        for tensor in (one, other)
    ]
    return encodings[0] == encodings[1]
