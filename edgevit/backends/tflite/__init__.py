"""TensorFlow Lite files (`.tflite`): written by litert-torch, run by LiteRT's interpreter."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.tflite.info import INFO
    from edgevit.backends.tflite.lower import lower
    from edgevit.backends.tflite.rules import RULES

__all__ = ["INFO", "RULES", "lower"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
        "lower": ("lower",),
        "rules": ("RULES",),
    },
)
