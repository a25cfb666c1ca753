"""Core ML: a program becomes an `.mlpackage`, on any operating system."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.coreml.benchmark import OpenedPackage, connected_phone
    from edgevit.backends.coreml.info import INFO

__all__ = ["INFO", "OpenedPackage", "connected_phone"]

lazy_face(
    __name__,
    {
        "benchmark": ("OpenedPackage", "connected_phone"),
        "info": ("INFO",),
    },
)
