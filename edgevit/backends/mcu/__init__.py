"""Microcontrollers: C firmware for Cortex-M and RISC-V, run on emulated cores before it is called good."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.mcu.options import FirmwareOptions

__all__ = ["FirmwareOptions"]

lazy_face(__name__, {"options": ("FirmwareOptions",)})
