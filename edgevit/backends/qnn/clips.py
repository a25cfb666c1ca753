"""Clips between integers, in a form that the compiler does not drop.

    clip(x, 0.1, 2) -> quantize   ->   max(x, 0.1) -> quantize -> dequantize -> min(., 2) -> quantize

The compiler leaves a clip between integers out, as if their encoding ended at its limits. Where the encoding reaches
further, a maximum and a minimum are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.session import load_library


def write_limits(path: Path) -> int:
    """Convert the clips of the file that their encoding does not do; return how many there are."""
    onnx: Any = load_library("onnx", "qnn")
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers = {node.input[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[Any] = []
    count = 0
    for node in graph.node:
        reader = readers.get(node.output[0]) if node.op_type == "Clip" else None
        limits = [] if reader is None else list(_limits(node, reader, constants, onnx))
        nodes += _calls(node, reader, limits, graph, onnx) if limits else [node]
        count += bool(limits)
    if count:
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)
    return count


def _limits(node: Any, reader: Any, constants: Any, onnx: Any) -> Iterator[tuple[str, Any]]:
    """Yield the limits that integers reach beyond, each as an integer with the call that keeps it."""
    step, zero = (onnx.numpy_helper.to_array(constants[name]) for name in reader.input[1:3])
    kind = np.iinfo(zero.dtype)
    ends = (("Max", int(kind.min), 1), ("Min", int(kind.max), -1))
    for name, (call, end, sign) in zip(node.input[1:], ends, strict=False):
        limit = float(onnx.numpy_helper.to_array(constants[name])) if name in constants else inf
        if not isfinite(limit):
            continue
        integer = round(limit / float(step)) + int(zero)
        if (integer - end) * sign > 0:
            yield call, zero.dtype.type(min(max(integer, kind.min), kind.max))


def _calls(node: Any, reader: Any, limits: Any, graph: Any, onnx: Any) -> Iterator[Any]:
    """Yield the calls, each between integers on the encoding of the clip's result."""
    make, where = onnx.helper.make_node, list(reader.input[1:3])
    source = node.input[0]
    for position, (call, limit) in enumerate(limits):
        name = f"{node.name}/{call}"
        graph.initializer.append(onnx.numpy_helper.from_array(limit.reshape(1), f"{name}/integer"))
        yield make(
            "DequantizeLinear", [f"{name}/integer", *where], [f"{name}/limit"], f"{name}/limit"
        )
        is_last = position == len(limits) - 1
        result = node.output[0] if is_last else f"{name}/floats"
        yield make(call, [source, f"{name}/limit"], [result], name)
        if not is_last:
            source = f"{name}/next"
            yield make(
                "QuantizeLinear", [result, *where], [f"{name}/integers"], f"{name}/QuantizeLinear"
            )
            yield make(
                "DequantizeLinear",
                [f"{name}/integers", *where],
                [source],
                f"{name}/DequantizeLinear",
            )
