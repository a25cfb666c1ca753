"""Integers of a value before its views, where they would be taken behind them.

    norm -> reshape -> transpose -> quantize   ->   norm -> quantize -> [reshape] -> [transpose]

Brackets are a call between integers on the same encoding: the same numbers. A norm whose result is not quantized is
one of floats, which the compiler takes at first and loses when it turns the layout.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library

_VIEWS = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})


def quantize_before_views(path: Path) -> int:
    """Move the pairs of the file; return how many views are between integers now."""
    onnx: Any = load_library("onnx", "qnn")
    model = onnx.load(path)
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    reads = Counter(name for node in graph.node for name in node.input)
    reads.update(value.name for value in graph.output)
    encodings: dict[str, list[str]] = {}  # by the value that gets a pair
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            encodings |= {
                name: list(node.input[1:3]) for name in _views_before(node, made_by, reads)
            }
    nodes: list[Any] = []
    for node in graph.node:
        node.input[:] = [f"{name}/paired" if name in encodings else name for name in node.input]
        nodes.append(node)
        for name in set(node.output) & encodings.keys():
            nodes += _pair(name, encodings[name], onnx)
    if encodings:
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)
    return len(encodings)


def _views_before(node: Any, made_by: Any, reads: Counter[str]) -> list[str]:
    """List the values before each of the views that end in `node`, which nothing else reads."""
    values: list[str] = []
    name = node.input[0]
    while reads[name] == 1 and (source := made_by.get(name)) and source.op_type in _VIEWS:
        name = source.input[0]
        values.append(name)
    is_integer = name in made_by and made_by[name].op_type == "DequantizeLinear"
    is_shared = bool(values) and reads[name] > 1
    return [] if is_integer or is_shared or name not in made_by else values


def _pair(name: str, where: list[str], onnx: Any) -> list[Any]:
    integers, floats = f"{name}/integers", f"{name}/paired"
    make = onnx.helper.make_node
    return [
        make("QuantizeLinear", [name, *where], [integers], f"{name}/QuantizeLinear"),
        make("DequantizeLinear", [integers, *where], [floats], f"{name}/DequantizeLinear"),
    ]
