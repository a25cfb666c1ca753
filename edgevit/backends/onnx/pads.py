"""Padding in front of a max pool, kept as it is.

    MaxPool(Pad(x, 0))          the zeros count
    MaxPool(x, pads)            the padding does not

ONNX Runtime (1.31) takes the one for the other: its rule `Pad_Fusion` leaves a Pad alone only if its axes are an input. Values
that are all negative at a border come out other than 0.
"""

from __future__ import annotations

from typing import Any

from edgevit.backends.session import load_library

_OPSET = 18  # which brought the axes
_INPUTS = 3  # of a Pad without axes: data, pads, value


def keep_pads(model: Any) -> None:
    """Give every Pad that a max pool reads its axes, in place."""
    graph = model.graph
    opset = {entry.domain: entry.version for entry in model.opset_import}
    pooled = {node.input[0] for node in graph.node if node.op_type == "MaxPool"}
    pads = [n for n in graph.node if n.op_type == "Pad" and n.output[0] in pooled]
    lengths = {one.name: one.dims[0] // 2 for one in graph.initializer if one.dims}
    helper = load_library("onnx.helper", "onnx")
    for node in pads:
        rank = lengths.get(node.input[1])
        if rank is None or len(node.input) > _INPUTS or opset[""] < _OPSET:
            continue
        name = f"{node.name}:axes"
        graph.initializer.append(helper.make_tensor(name, 7, [rank], range(rank)))  # 7: int64
        node.input.extend([""] * (_INPUTS - len(node.input)) + [name])
