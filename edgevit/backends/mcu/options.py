"""Export options for a microcontroller."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support.choice import Choice


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
    tile: int | None = None  # rows that a loop takes at a time; None: as the search finds
    weights_as: str = "c"  # or "object", "binary", "binary@ADDRESS", "streamed"


NO_WISHES = FirmwareOptions()

CHOICES = (
    Choice(
        "tile",
        ("auto", "1", "2", "4", "6", "8", "12", "16", "24", "32", "64"),
        "auto",
        "more rows at a time are fewer calls of kernels and larger buffers between them",
    ),
    Choice(
        "optimize",
        ("balanced", "ram", "speed"),
        "balanced",
        "values kept whole are made once; streamed ones take less RAM and may be made again",
    ),
    Choice(
        "residual",
        ("int8", "int16"),
        "int8",
        "sums in 16 bits are nearer to the model, and take twice the RAM",
    ),
)
