"""QNN: ONNX compiled for the Hexagon NPU of a Snapdragon, run by the vendor's emulator."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.qnn.info import INFO

__all__ = ["INFO"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
    },
)
