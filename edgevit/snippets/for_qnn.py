"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, C_TYPES, Facts, Snippet
from edgevit.backends.qnn import INFO
from edgevit.snippets import android, cpp, python
from edgevit.snippets.templates import TEMPLATES
from edgevit.support.quoting import word

_FLOATS = frozenset({"float32"})
_RUNTIME = python.Runtime(
    INFO.libraries[0],
    "import onnxruntime\nimport onnxruntime_qnn",
    """    def __init__(self) -> None:
        provider = "QNNExecutionProvider"
        onnxruntime.register_execution_provider_library(provider, onnxruntime_qnn.get_library_path())
        devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider]
        options = onnxruntime.SessionOptions()
        options.add_provider_for_devices(devices, {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
        self.session = onnxruntime.InferenceSession(str(MODEL), options, enable_fallback=0)

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.session.run(None, {name: array for (name, *_), array in zip(INPUTS, arrays, strict=True)})
""",
)


def _kotlin(facts: Facts) -> dict[str, str]:
    return {**android.onnx_kotlin(facts), **_npu(facts)}


def _cpp(facts: Facts) -> dict[str, str]:
    return {**cpp.onnx(facts), **_npu(facts)}


def _npu(facts: Facts) -> dict[str, str]:
    npu, delegation = facts.manifest["npu"], facts.manifest["delegation"]
    return {
        "SOC": word(npu["soc"]),
        "CONTEXT": word(npu["context"]),
        "VERSION": word(facts.manifest["versions"][INFO.libraries[0]]),
        "NO_FALLBACK": "0" if delegation["ops_outside"] else "1",
    }


SNIPPETS = (
    Snippet("Call.kt", TEMPLATES / "qnn.kt.txt", _kotlin, _FLOATS),
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("call.cpp", TEMPLATES / "qnn.cpp.txt", _cpp, C_TYPES),
)
