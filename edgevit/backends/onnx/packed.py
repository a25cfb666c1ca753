"""Rounded weights of an ONNX graph -> 4-bit integers with scales of channels or blocks.

    float weight on the grid   ->   DequantizeLinear(int4, scales)

The simulation holds such a weight as floats, and the exporter may transpose it. It is recognised
by its numbers, which must be exactly those that were judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.backends.onnx.shared_weights import copy_of
from edgevit.backends.session import load_library
from edgevit.quantize import IntegerWeight, RoundedWeight

INT4_OPSET = 21


def pack(model: Any, weights: Iterable[RoundedWeight]) -> int:
    """Replace float initializers in place. Returns how many weights are not there."""
    table = {
        key: (weight, turned)
        for weight in weights
        if isinstance(weight, IntegerWeight)
        for turned, key in _keys(weight)
    }
    packed: set[int] = set()
    graph = model.graph
    numpy_helper = load_library("onnx.numpy_helper", "onnx")
    for initializer in list(graph.initializer):
        if initializer.data_type != 1:  # float32
            continue
        weight, turned = table.get(_key(numpy_helper.to_array(initializer)), (None, False))
        if weight is not None:
            _replace(graph, initializer, weight, turned)
            packed.add(id(weight))
    return len({id(weight) for weight, _ in table.values()} - packed)


def _keys(weight: IntegerWeight) -> Iterator[tuple[bool, str]]:
    floats = weight.floats().numpy()
    yield False, _key(floats)
    if floats.ndim == 2:
        yield True, _key(floats.T)


def _key(numbers: NDArray[Any]) -> str:
    shape = ",".join(map(str, numbers.shape))
    return hashlib.sha256(shape.encode() + np.ascontiguousarray(numbers).tobytes()).hexdigest()


def _replace(graph: Any, initializer: Any, weight: IntegerWeight, turned: bool) -> None:
    helper = load_library("onnx.helper", "onnx")
    integers, scales, where = _stored(weight, turned)
    name = initializer.name
    graph.initializer.remove(initializer)
    graph.initializer.extend([
        helper.make_tensor(f"{name}:integers", 22, integers.shape, integers.ravel().tolist()),
        helper.make_tensor(f"{name}:scales", 1, scales.shape, scales.ravel().tolist()),
    ])  # fmt: skip
    node = helper.make_node(
        "DequantizeLinear",
        [f"{name}:integers", f"{name}:scales"],
        [name],
        f"{name}:dequantize",
        **where,
    )
    graph.node.insert(0, node)


def _stored(
    weight: IntegerWeight, turned: bool
) -> tuple[NDArray[np.int8], NDArray[np.float32], dict[str, int]]:
    """Return integers, scales and the attributes of the call. Scales of blocks have the axes of the
    weight.
    """
    integers = weight.integers.numpy()
    scales = weight.scales.numpy()
    if scales.ndim == 1:
        return (
            (integers.T if turned else integers),
            scales,
            {"axis": 1 - weight.axis if turned else weight.axis},
        )
    each = np.broadcast_to(
        scales.reshape(*scales.shape, *[1] * (integers.ndim - 2)),
        (*scales.shape, *integers.shape[2:]),
    )
    block = integers.shape[1] // scales.shape[1]
    if turned:
        return integers.T, each.T, {"axis": 0, "block_size": block}
    return integers, each, {"axis": 1, "block_size": block}


def part_zero_points(model: Any) -> None:
    """Give each weight in bytes zero points of its own, in place.

    ONNX Runtime's exact mode for CPUs without VNNI rewrites them, and fails where two weights share them.
    """
    graph = model.graph
    initializers = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or len(node.input) < 3:
            continue
        weight, zeros = initializers.get(node.input[0]), initializers.get(node.input[2])
        if weight is not None and zeros is not None:
            own = copy_of(zeros)
            own.name = f"{node.input[0]}:zeros"
            graph.initializer.append(own)
            node.input[2] = own.name
