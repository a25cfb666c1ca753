"""The one table of backends. Imports nothing: the command line and the worker processes read it too."""

from __future__ import annotations

# format -> package whose module `backend` defines BACKEND, and whose `session`, for what runs here, `open_session`
BACKENDS: dict[str, str] = {
    "coreml": "edgevit.backends.coreml",
    "executorch": "edgevit.backends.executorch",
    "tflite": "edgevit.backends.tflite",
    "onnx": "edgevit.backends.onnx",
    "tvm": "edgevit.backends.tvm",
}
