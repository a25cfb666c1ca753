"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="coreml",
    title="Core ML",
    purpose="iPhone, iPad, Mac: .mlpackage",
    called=("mlpackage", "mlmodel"),
    backend="edgevit.backends.coreml.backend:fitted_to",
    precisions=(
        "fp16",
        "fp32",
        "int8",
        "mixed",
        "w4a8",
        "w8",
        "w4",
        "palette8",
        "palette6",
        "palette4",
    ),
    calibrates=("int8", "mixed", "w4a8", "w8", "w4", "palette8", "palette6", "palette4"),
    schemes="edgevit.backends.coreml.scheme:SCHEMES",
    automatic="edgevit.backends.coreml.scheme:automatic",
    extra="coreml",
    suffix=".mlpackage",
    missing_facts="edgevit.backends.coreml.target_facts:missing",
    ports="edgevit.backends.coreml.ports:ports",
    interpreter="edgevit.backends.coreml.backend:open_interpreter",
    engine="the Neural Engine",
    runners=(
        ("mac", "edgevit.measure.apple:open_runner"),
        ("iphone", "edgevit.measure.apple:open_runner"),
    ),
    snippets="edgevit.snippets.for_coreml:SNIPPETS",
    part_session="edgevit.snippets.for_coreml:PART_SESSION",
    functions="edgevit.backends.coreml.functions:FUNCTIONS",
    holds_labels=True,
    skips_zeros=("sparse-blocks", "sparse-2to4"),
)
