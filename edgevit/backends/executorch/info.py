"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="executorch",
    title="ExecuTorch",
    purpose="Android, Linux: .pte",
    called=("pte", "xnnpack"),
    instead_of=(
        ("torchscript", "TorchScript is no longer developed; ExecuTorch is its successor"),
        ("torch", "ExecuTorch is how PyTorch runs on devices"),
        ("pt", "ExecuTorch is how PyTorch runs on devices"),
    ),
    backend="edgevit.backends.executorch.backend:BACKEND",
    precisions=("fp32", "fp16", "int8", "int8-dynamic", "auto", "mixed", "w4a8"),
    calibrates=("int8", "int8-dynamic", "auto", "mixed", "w4a8"),
    schemes="edgevit.backends.executorch.scheme:SCHEMES",
    automatic="edgevit.backends.executorch.scheme:automatic",
    extra="executorch",
    suffix=".pte",
    session="edgevit.backends.executorch.session:open_session",
    libraries=("executorch",),
    device_binary="edgevit.backends.executorch.device_binary:EXECUTOR_RUNNER",
    snippets="edgevit.snippets.for_executorch:SNIPPETS",
    part_session="edgevit.snippets.for_executorch:PART_SESSION",
    functions="edgevit.backends.executorch.functions:FUNCTIONS",
    delegates=True,
)
