"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="qnn",
    title="QNN",
    purpose="Snapdragon NPU: .onnx and its compiled context",
    called=("snpe", "htp"),
    backend="edgevit.backends.qnn.backend:BACKEND",
    precisions=("fp16", "int8", "w8a16"),
    calibrates=("int8", "w8a16"),
    schemes="edgevit.backends.qnn.scheme:schemes",
    automatic="edgevit.backends.qnn.scheme:automatic",
    extra="qnn",
    suffix=".onnx",
    session="edgevit.backends.qnn.session:open_session",
    emulated=True,
    libraries=("onnxruntime-qnn", "onnxruntime"),
    beside=(".bin",),
    missing_facts="edgevit.backends.qnn.soc:missing",
    options="edgevit.backends.qnn.options:OPTIONS",
    snippets="edgevit.snippets.for_qnn:SNIPPETS",
    delegates=True,
)
