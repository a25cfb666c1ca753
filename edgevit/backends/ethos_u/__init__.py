"""Ethos-U: int8 TFLite compiled for Arm's microNPUs by Vela, checked by LiteRT's reference kernels."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.ethos_u.info import INFO

__all__ = ["INFO"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
    },
)
