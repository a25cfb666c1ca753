"""The one table of backends. Imports nothing heavy: the command line and the worker processes read it too."""

from __future__ import annotations

from edgevit.targets.target import WRITTEN

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
PRECISIONS = WRITTEN
# what a worker process can open -> module that defines `open_session`
SESSIONS: dict[str, str] = {
    **{format: f"{package}.session" for format, package in BACKENDS.items() if format != "mcu"},
    "eager": "edgevit.exported.eager_session",
}
