"""Float16 weights, for half the file size; the runtime widens them once and computes in float32."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.session import load_library

_ALGORITHM = "float_casting"
_WITH_WEIGHTS = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "EMBEDDING_LOOKUP",
)


def halve_weights(path: Path) -> None:
    """Store the weights in half precision, in place.

    Biases, and weights that are no op's constants, stay as they are.
    """
    load_library("ai_edge_quantizer", "tflite")
    from ai_edge_quantizer import qtyping, quantizer

    tool = quantizer.Quantizer(str(path))
    for name in _WITH_WEIGHTS:
        operation = qtyping.TFLOperationName[name]
        tool.add_weight_only_config(".*", operation, 16, algorithm_key=_ALGORITHM)
    result = tool.quantize(enable_progress_bar=False, enable_progress_report=False)
    assert result.quantized_model is not None
    path.write_bytes(result.quantized_model)
