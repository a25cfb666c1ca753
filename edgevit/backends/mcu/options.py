"""What an export for a microcontroller can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FirmwareOptions:
    calibrate: str | None = (
        None  # a folder of pictures, an .npy or .npz; generated where there is none
    )
    observer: str = "mse"
    residual: str = "int8"
    scheme: str = "exact"  # how softmax and GELU tables are computed: or "i-vit"
    optimize: str = "balanced"
    max_ram: int | None = None  # bytes


NO_WISHES = FirmwareOptions()
