"""Converters of quantize and dequantize calls.

Scales and zero points are arguments of the compiled functions, not numbers in them: values of one shape share a
function, which a net has a dozen of instead of hundreds. A value is rounded to the nearest even integer as by PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.fx.node import Node

from edgevit.backends.tvm.arithmetic import Expr, relax_type
from edgevit.backends.tvm.tool import tvm


def quantized(node: Node, importer: Any) -> Expr:
    te = tvm("te")
    x, scale, zero, least, most, dtype = node.args
    kind = relax_type(dtype)  # type: ignore[arg-type]

    def rounded(x: Any, scale: Any, zero: Any) -> Any:
        def one(*place: Any) -> Any:
            step = te.nearbyint(x(*place) / scale[0]) + zero[0]
            lowest, highest = (tvm("tirx").const(end, "float32") for end in (least, most))
            return te.max(te.min(step, highest), lowest).astype(kind)

        return te.compute(x.shape, one, name="quantized")

    return _emitted(importer, rounded, x, _number(scale), _number(zero))


def dequantized(node: Node, importer: Any) -> Expr:
    te = tvm("te")
    x, scale, zero, *_ = node.args

    def real(x: Any, scale: Any, zero: Any) -> Any:
        def one(*place: Any) -> Any:
            return (x(*place).astype("int32") - zero[0]).astype("float32") * scale[0]

        return te.compute(x.shape, one, name="dequantized")

    return _emitted(importer, real, x, _number(scale), _number(zero, "int32"))


def dequantized_channels(node: Node, importer: Any) -> Expr:
    """Multiply by the scales of the channels: the zero points are all 0."""
    te = tvm("te")
    x, scales, _, axis, *_ = node.args

    def real(x: Any, scales: Any) -> Any:
        def one(*place: Any) -> Any:
            return x(*place).astype("float32") * scales[place[axis]]  # type: ignore[index]

        return te.compute(x.shape, one, name="dequantized")

    return _emitted(importer, real, x, importer.env[scales])


def _emitted(importer: Any, function: Any, x: Any, *rest: Any) -> Expr:
    return importer.block_builder.emit_te(
        function, importer.env[x], *rest, primfunc_name_hint=function.__name__
    )


def _number(number: Any, dtype: str = "float32") -> Expr:
    return tvm("relax").const(np.array([number], dtype))
