"""Which kernels ONNX Runtime takes for a file in integers, read from the graph that it optimises."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.onnx.session import EXACT_BYTES, open_runtime
from edgevit.backends.onnx.shared_weights import part_weights
from edgevit.backends.session import load_library

_INTEGER = frozenset({
    "QGemm", "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
    "QEmbedLayerNormalization", "QAttention", "MatMulNBits",
})  # fmt: skip
_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "FusedMatMul", "FusedConv"})


@dataclass(frozen=True)
class IntegerKernels:
    """Kernels of one file, by operator."""

    integer: dict[str, int]
    conversions: dict[str, int]  # between integers and floats
    floats: dict[str, int]
    shares_weights: bool = False  # between products, which the exact mode does not take

    @property
    def float_products(self) -> int:
        return sum(count for op, count in self.floats.items() if op in _PRODUCTS)

    @property
    def integer_products(self) -> int:
        names = ("QLinearConv", "QLinearMatMul", *_INTEGER)
        return sum(count for op, count in self.integer.items() if op in names)

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


def integer_kernels(path: Path) -> IntegerKernels:
    onnx = load_library("onnx", "onnx")
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        open_runtime(path, 1, optimised=optimised)
        ops = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    integer = {op for op in ops if op.startswith("QLinear") or op in _INTEGER}
    floats = set(ops) - integer - _CONVERSIONS
    counts = (
        {op: ops[op] for op in sorted(ops) if op in group}
        for group in (integer, _CONVERSIONS, floats)
    )
    return IntegerKernels(*counts, shares_weights=part_weights(onnx.load(path)))


def kernels_notes(kernels: IntegerKernels, precision: str) -> tuple[str, ...]:
    """Say how many products the runtime really computes in integers, and what it needs for them."""
    whole = kernels.integer_products + kernels.float_products
    if not kernels.integer_products:
        return (
            f"ONNX Runtime's CPU kernels compute {precision} in floats: it saves size, not time",
        )
    floats = ", ".join(f"{op} x{kernels.floats[op]}" for op in kernels.floats if op in _PRODUCTS)
    rest = f"; in floats: {floats}" if floats else ""
    return (
        f"ONNX Runtime computes {kernels.integer_products} of {whole} products in integers{rest}",
        "x86 CPUs without VNNI saturate these products at 16 bits: " + _way_out(kernels),
    )


def _way_out(kernels: IntegerKernels) -> str:
    if kernels.shares_weights:
        return (
            f"take fp32 there, as the session option `{EXACT_BYTES}` does not open a file whose products share "
            "a weight (this check gave each a copy of its own)"
        )
    return f"set the session option `{EXACT_BYTES}` to 1 there"
