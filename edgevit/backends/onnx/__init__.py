"""ONNX: torch's own exporter on the rewritten program, simplified, run by ONNX Runtime."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.onnx.info import INFO

__all__ = ["INFO"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
    },
)
