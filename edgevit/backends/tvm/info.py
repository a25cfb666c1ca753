"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="tvm",
    title="TVM",
    purpose="Linux boards: shared library",
    backend="edgevit.backends.tvm.backend:BACKEND",
    precisions=("fp32", "int8", "w8"),
    calibrates=("int8", "w8"),
    schemes="edgevit.backends.tvm.scheme:SCHEMES",
    automatic="edgevit.backends.tvm.scheme:automatic",
    extra="tvm",
    suffix=".so",
    session="edgevit.backends.tvm.session:open_session",
    libraries=("apache-tvm",),
    beside=(".json",),
    machine_code=True,
    code="a compiled library",
    snippets="edgevit.snippets.for_tvm:SNIPPETS",
    runners=(("tvm://tracker:port/key", "edgevit.measure.tvm_rpc:open_runner"),),
    delegates=True,
)
