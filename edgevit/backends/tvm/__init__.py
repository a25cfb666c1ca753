"""TVM: a shared library for a Linux board or PC, compiled ahead of time."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.tvm.info import INFO
    from edgevit.backends.tvm.rpc import RemoteSession

__all__ = ["INFO", "RemoteSession"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
        "rpc": ("RemoteSession",),
    },
)
