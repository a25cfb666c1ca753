"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="tflite",
    title="TFLite",
    purpose="Android, Linux: .tflite",
    called=("litert", "tensorflow", "tensorflowlite"),
    instead_of=(
        ("nnapi", "Android has deprecated NNAPI"),
        ("edgetpu", "the Edge TPU's compiler takes a .tflite in int8"),
        ("savedmodel", "TensorFlow runs on devices as TFLite"),
    ),
    backend="edgevit.backends.tflite.backend:BACKEND",
    precisions=("fp32", "fp16", "int8", "int8-dynamic", "auto", "mixed", "w4a8", "w8a16"),
    calibrates=("int8", "int8-dynamic", "auto", "mixed", "w4a8", "w8a16"),
    schemes="edgevit.backends.tflite.scheme:SCHEMES",
    automatic="edgevit.backends.tflite.scheme:automatic",
    extra="tflite",
    suffix=".tflite",
    session="edgevit.backends.tflite.session:open_session",
    libraries=("ai-edge-litert", "tflite-runtime"),
    device_binary="edgevit.backends.tflite.device_binary:BENCHMARK_MODEL",
    options="edgevit.backends.tflite.options:OPTIONS",
    snippets="edgevit.snippets.for_tflite:SNIPPETS",
    part_session="edgevit.snippets.for_tflite:PART_SESSION",
    functions="edgevit.backends.tflite.sizes:FUNCTIONS",
    delegates=True,
    runners=(("litert-gpu", "edgevit.measure.litert_gpu:open_runner"),),
)
