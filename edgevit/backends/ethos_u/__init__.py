"""Ethos-U: int8 TFLite compiled for Arm's microNPUs by Vela, checked by LiteRT's reference kernels."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.ethos_u.boards import NpuPlace, boards
    from edgevit.backends.ethos_u.info import INFO
    from edgevit.backends.ethos_u.session import EthosSession

__all__ = ["INFO", "EthosSession", "NpuPlace", "boards"]

lazy_face(
    __name__,
    {
        "boards": ("NpuPlace", "boards"),
        "info": ("INFO",),
        "session": ("EthosSession",),
    },
)
