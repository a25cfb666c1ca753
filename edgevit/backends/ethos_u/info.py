"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="ethos-u",
    title="Ethos-U",
    purpose="Arm's microNPUs beside a Cortex-M: int8 .tflite, compiled by Vela",
    backend="edgevit.backends.ethos_u.backend:BACKEND",
    precisions=("int8",),
    calibrates=("int8",),
    schemes="edgevit.backends.ethos_u.scheme:SCHEMES",
    extra="ethos-u",
    suffix=".tflite",
    session="edgevit.backends.ethos_u.session:open_session",
    emulated=True,
    libraries=("ethos-u-vela", "ai-edge-litert"),
    missing_facts="edgevit.backends.ethos_u.npu:missing",
    ports="edgevit.backends.ethos_u.ports:ports",
    options="edgevit.backends.ethos_u.options:OPTIONS",
    snippets="edgevit.snippets.for_ethos_u:SNIPPETS",
    delegates=True,
)
