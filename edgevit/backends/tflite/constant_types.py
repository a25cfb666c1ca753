"""Types of constants that the converter does not write: weights of 4 bits, and biases of 64.

The converter gives a product weights of 8 bits and biases of 32. The runtime reads two weights of
4 bits from a byte, and takes biases of 64 bits where activations have 16.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx.node import Node

from edgevit.backends.tflite.flatbuffer import (
    names_of,
    positions_of,
    read_model,
    schema,
    write_model,
)
from edgevit.graph.aten import argument, has_argument, kind
from edgevit.graph.program import Program

_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_INPUT, _WEIGHT, _BIAS = range(3)  # their places among a product's inputs
_LEAST_4, _MOST_4 = -8, 7
_MOST_32 = 2**31 - 1


def give_types(program: Program, path: Path) -> None:
    """Pack weights of 4 bits, and widen biases beside activations of 16, in place."""
    narrow, wide = _has_narrow_weights(program), _has_wide_activations(program)
    if not narrow and not wide:
        return
    model = read_model(path)
    if narrow:
        _pack_weights(model)
    if wide:
        _widen_biases(model, _biases(program))
    write_model(model, path)


def _has_narrow_weights(program: Program) -> bool:
    pairs = (node for node in program.calls() if kind(node) == "quantize_per_channel")
    return any(argument(node, "quant_max") == _MOST_4 for node in pairs)


def _has_wide_activations(program: Program) -> bool:
    pairs = (node for node in program.calls() if kind(node) == "quantize_per_tensor")
    return any(argument(node, "dtype") == torch.int16 for node in pairs)


def _biases(program: Program) -> dict[str, torch.Tensor]:
    """Map the names of products to their biases."""
    biased = ((node, argument(node, "bias")) for node in program.calls() if _has_bias(node))
    return {node.name: program.constants[str(bias.target)] for node, bias in biased}


def _has_bias(node: Node) -> bool:
    return has_argument(node, "bias") and isinstance(argument(node, "bias"), Node)


def _products(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each product with the graph that it stands in."""
    codes = frozenset[int]().union(*(positions_of(model, name) for name in _PRODUCTS))
    for graph in model.subgraphs:
        for op in graph.operators:
            if op.opcodeIndex in codes:
                yield graph, op


def _pack_weights(model: Any) -> None:
    """Put two weights into a byte, the first in its lower half, wherever all of a weight fit."""
    types = schema().TensorType
    weights = {id(graph.tensors[op.inputs[_WEIGHT]]) for graph, op in _products(model)}
    readers: dict[int, list[Any]] = defaultdict(list)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        readers[tensor.buffer].append(tensor)
    for buffer, tensors in readers.items():
        if not all(one.type == types.INT8 and id(one) in weights for one in tensors):
            continue
        integers = _numbers(model.buffers[buffer], np.int8)
        if len(integers) and integers.min() >= _LEAST_4 and integers.max() <= _MOST_4:
            model.buffers[buffer].data = _packed(integers)
            for tensor in tensors:
                tensor.type = types.INT4


def _packed(integers: NDArray[Any]) -> NDArray[np.uint8]:
    halves = np.append(integers, np.zeros(len(integers) % 2, np.int8)).view(np.uint8) & 0xF
    return (halves[::2] | (halves[1::2] << 4)).astype(np.uint8)


def _widen_biases(model: Any, biases: dict[str, torch.Tensor]) -> None:
    """Give products of 16-bit activations biases of 64 bits.

    A bias that 32 bits did not hold is rounded once more.
    """
    types = schema().TensorType
    for graph, op in _products(model):
        if graph.tensors[op.inputs[_INPUT]].type != types.INT16 or len(op.inputs) <= _BIAS:
            continue
        bias = graph.tensors[op.inputs[_BIAS]]
        if op.inputs[_BIAS] < 0 or bias.type != types.INT32:
            continue
        integers = _numbers(model.buffers[bias.buffer], np.int32).astype(np.int64)
        if (np.abs(integers) >= _MOST_32).any():
            integers = _rounded(bias, graph.tensors[op.outputs[0]], biases)
        model.buffers[bias.buffer].data = np.frombuffer(integers.tobytes(), np.uint8)
        bias.type = types.INT64


def _rounded(bias: Any, result: Any, biases: dict[str, torch.Tensor]) -> NDArray[np.int64]:
    (name,) = (names_of(bias) | names_of(result)) & set(biases)
    scales = np.asarray(bias.quantization.scale, np.float64)
    return np.rint(biases[name].double().numpy() / scales).astype(np.int64)


def _numbers(buffer: Any, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(b"" if buffer.data is None else bytes(buffer.data), dtype)
