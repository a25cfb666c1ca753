"""The one table of backends. Imports nothing: the command line and the worker processes read it too."""

from __future__ import annotations

# format -> package whose module `backend` defines BACKEND
BACKENDS: dict[str, str] = {
    "coreml": "edgevit.backends.coreml",
    "executorch": "edgevit.backends.executorch",
    "tflite": "edgevit.backends.tflite",
    "onnx": "edgevit.backends.onnx",
    "tvm": "edgevit.backends.tvm",
    "mcu": "edgevit.backends.mcu",
}
# format -> what people call it
TITLES: dict[str, str] = {
    "coreml": "Core ML",
    "executorch": "ExecuTorch",
    "tflite": "TFLite",
    "onnx": "ONNX",
    "tvm": "TVM",
    "mcu": "firmware",
}
# format -> what it is written in, for a target that takes it
PRECISIONS: dict[str, tuple[str, ...]] = {
    "coreml": ("fp16", "fp32"),
    "executorch": ("fp32", "fp16"),
    "tflite": ("fp32", "fp16"),
    "onnx": ("fp32",),
    "tvm": ("fp32",),
    "mcu": ("int8",),
}
# what a worker process can open -> module that defines `open_session`
SESSIONS: dict[str, str] = {
    **{format: f"{package}.session" for format, package in BACKENDS.items() if format != "mcu"},
    "eager": "edgevit.backends.eager",
}
