"""Products of two 16-bit activations, in the form that the NPU computes in 16 bits.

    matmul(a uint16, b uint16)   ->   matmul(a uint16, b int16 with its zero point in the middle)

Of an unsigned second operand the NPU keeps 8 bits: 40 dB on random numbers, against 79 dB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library

_MOST = 32767


def convert_products(path: Path) -> int:
    """Convert the second operands in the file; return how many products have another now."""
    onnx: Any = load_library("onnx", "qnn")
    numpy: Any = load_library("numpy", "qnn")
    model = onnx.load(path)
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[Any] = []
    count = 0
    for node in graph.node:
        source = _unsigned(node, made_by, constants, onnx)
        if source is not None:
            scale = _largest(source, constants, onnx) / _MOST
            nodes += _pair(node, scale, graph, onnx, numpy)
            count += 1
        nodes.append(node)
    if count:
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)
    return count


def _unsigned(node: Any, made_by: Any, constants: Any, onnx: Any) -> Any | None:
    """Return the call that dequantises a second operand of unsigned 16-bit activations."""
    if node.op_type != "MatMul":
        return None
    source = made_by.get(node.input[1])
    if source is None or source.op_type != "DequantizeLinear" or source.input[0] in constants:
        return None
    zero = constants.get(source.input[2]) if len(source.input) > 2 else None
    is_wide = zero is not None and zero.data_type == onnx.TensorProto.UINT16 and not zero.dims
    return source if is_wide else None


def _largest(source: Any, constants: Any, onnx: Any) -> float:
    """Return the largest absolute value that the encoding holds."""
    scale, zero = (onnx.numpy_helper.to_array(constants[name]) for name in source.input[1:3])
    return float(scale) * max(int(zero), 65535 - int(zero))


def _pair(node: Any, scale: float, graph: Any, onnx: Any, numpy: Any) -> list[Any]:
    """Let the product read its second operand through a pair of its own."""
    name, operand = f"{node.name}/second", node.input[1]
    graph.initializer.extend([
        onnx.numpy_helper.from_array(numpy.array(scale, numpy.float32), f"{name}/scale"),
        onnx.numpy_helper.from_array(numpy.array(0, numpy.int16), f"{name}/zero"),
    ])  # fmt: skip
    where = [f"{name}/scale", f"{name}/zero"]
    node.input[1] = f"{name}/floats"
    make = onnx.helper.make_node
    return [
        make("QuantizeLinear", [operand, *where], [f"{name}/integers"], f"{name}/QuantizeLinear"),
        make("DequantizeLinear", [f"{name}/integers", *where], [f"{name}/floats"], f"{name}/DequantizeLinear"),
    ]  # fmt: skip
