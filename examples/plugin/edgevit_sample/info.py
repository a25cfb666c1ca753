"""Facts about the backend; nothing heavy is imported here."""

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="pt2",
    title="PyTorch's exported program",
    purpose="sample: PyTorch's own exported program",
    backend="edgevit_sample.backend:BACKEND",
    precisions=("fp32",),
    extra="",
    suffix=".pt2",
    session="edgevit_sample.session:open_session",
    libraries=("torch",),
    options="edgevit_sample.options:OPTIONS",
)
