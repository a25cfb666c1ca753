"""Activations of fp16 graphs, kept apart from what they read.

    conv -> sigmoid   ->   conv -> clip(-65504, 65504) -> sigmoid

The compiler fuses a sigmoid, tanh or GELU into the convolution, product, sum or pooling before it, and then
reads it from a short table: 47 dB, against 66 dB by itself. The clip cuts nothing off, as float16 ends there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library

_FUSED = frozenset({"Sigmoid", "Tanh", "Gelu"})
_LARGEST = 65504.0  # of float16


def part_activations(path: Path) -> int:
    """Put a clip before each activation of the file; return how many there are."""
    onnx: Any = load_library("onnx", "qnn")
    model = onnx.load(path)
    graph = model.graph
    nodes: list[Any] = []
    clips: dict[str, Any] = {}  # by what they read
    for node in graph.node:
        if node.op_type in _FUSED:
            source = node.input[0]
            if source not in clips:
                clips[source] = _clip(node, onnx)
                nodes.append(clips[source])
            node.input[0] = clips[source].output[0]
        nodes.append(node)
    if clips:
        limits = {"clip/least": -_LARGEST, "clip/most": _LARGEST}
        graph.initializer.extend(
            onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [limit])
            for name, limit in limits.items()
        )
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)
    return len(clips)


def _clip(node: Any, onnx: Any) -> Any:
    name = f"{node.name}/Clip"
    inputs = [node.input[0], "clip/least", "clip/most"]
    return onnx.helper.make_node("Clip", inputs, [name], name)
