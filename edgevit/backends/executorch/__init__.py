"""ExecuTorch: a .pte whose supported parts are handed to XNNPACK."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.executorch.info import INFO

__all__ = ["INFO"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
    },
)
