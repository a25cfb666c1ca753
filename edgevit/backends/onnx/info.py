"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="onnx",
    title="ONNX",
    purpose="anywhere: .onnx",
    called=("onnxruntime", "ort"),
    instead_of=(
        ("tensorrt", "TensorRT builds its engine from an .onnx"),
        ("engine", "TensorRT builds its engine from an .onnx"),
        ("openvino", "OpenVINO reads an .onnx"),
        ("ncnn", "ncnn converts from an .onnx"),
        ("mnn", "MNN converts from an .onnx"),
        ("rknn", "the RKNN toolkit converts from an .onnx"),
    ),
    backend="edgevit.backends.onnx.backend:BACKEND",
    precisions=("fp32", "int8", "mixed", "int8-dynamic", "w8a16", "w4a8", "w4"),
    calibrates=("int8", "mixed", "int8-dynamic", "w8a16", "w4a8", "w4"),
    schemes="edgevit.backends.onnx.scheme:SCHEMES",
    automatic="edgevit.backends.onnx.scheme:automatic",
    extra="onnx",
    suffix=".onnx",
    session="edgevit.backends.onnx.session:open_session",
    libraries=("onnxruntime",),
    snippets="edgevit.snippets.for_onnx:SNIPPETS",
    part_session="edgevit.snippets.for_onnx:PART_SESSION",
    functions="edgevit.backends.onnx.sizes:FUNCTIONS",
    delegates=True,
)
