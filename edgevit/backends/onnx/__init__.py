"""ONNX: torch's own exporter on the rewritten program, simplified, run by ONNX Runtime."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.onnx.constants import stored
    from edgevit.backends.onnx.info import INFO
    from edgevit.backends.onnx.lower import ONE_FILE, OnnxFile, write_onnx
    from edgevit.backends.onnx.names import with_own_outputs
    from edgevit.backends.onnx.rules import RULES
    from edgevit.backends.onnx.session import run_session, spec_of

__all__ = [
    "INFO",
    "ONE_FILE",
    "RULES",
    "OnnxFile",
    "run_session",
    "spec_of",
    "stored",
    "with_own_outputs",
    "write_onnx",
]

lazy_face(
    __name__,
    {
        "constants": ("stored",),
        "info": ("INFO",),
        "lower": ("ONE_FILE", "OnnxFile", "write_onnx"),
        "names": ("with_own_outputs",),
        "rules": ("RULES",),
        "session": ("run_session", "spec_of"),
    },
)
