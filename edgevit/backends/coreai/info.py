"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="coreai",
    title="Core AI",
    purpose="iPhone, iPad, Mac from iOS 27 and macOS 27: .aimodel",
    called=("aimodel",),
    backend="edgevit.backends.coreai.backend:BACKEND",
    precisions=("fp16", "fp32", "w8", "w4", "palette8", "palette6", "palette4"),
    calibrates=("w8", "w4", "palette8", "palette6", "palette4"),
    schemes="edgevit.backends.coreai.scheme:SCHEMES",
    automatic="edgevit.backends.coreai.scheme:automatic",
    extra="coreai",
    suffix=".aimodel",
    session="edgevit.backends.coreai.session:open_session",
    libraries=("coreai-core",),
    snippets="edgevit.snippets.for_coreai:SNIPPETS",
    holds_labels=True,
    engine="the Neural Engine",
)
