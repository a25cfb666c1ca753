"""Options of calibration, the same for every format whose numbers are integers."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support.backend_options import OptionsInfo, Word
from edgevit.support.shape import Text


@dataclass(frozen=True)
class CalibrationOptions:
    calibrate: str | None = None  # a folder of pictures, an .npy or .npz; None: generated
    observer: str = "mse"  # how a range is chosen: min-max, percentile or mse


GENERATED = CalibrationOptions()
CALIBRATION = OptionsInfo(
    CalibrationOptions,
    (
        Word(
            "calibrate",
            Text(),
            "PATH",
            "a folder of pictures, an .npz or .npy (default: generated)",
        ),
        Word(
            "observer",
            Text(("min-max", "percentile", "mse")),
            "O",
            "ranges by min-max, percentile or mse (default)",
        ),
    ),
    heading="calibration, for integers",
    table="calibration",
)
