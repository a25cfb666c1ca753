"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="browser",
    title="browser",
    purpose="browsers: a page with ONNX Runtime Web and LiteRT.js",
    backend="edgevit.backends.browser.backend:BACKEND",
    precisions=("fp32",),
    extra="browser",
    suffix=".web",
    session="edgevit.backends.browser.session:open_session",
    options="edgevit.backends.browser.options:OPTIONS",
    versions="edgevit.backends.browser.chromium:versions",
    ports="edgevit.backends.browser.facts:ports",
    finish="edgevit.backends.browser.facts:finish",
    holds_labels=True,
    runners=(("browser[:runtime]", "edgevit.measure.browser:open_runner"),),
)
