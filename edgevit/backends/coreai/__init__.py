"""Core AI: a program becomes an `.aimodel`, on Linux and macOS, and Apple's runtime runs it here."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.coreai.info import INFO

__all__ = ["INFO"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
    },
)
