"""Options of calibration, the same for every format whose numbers are integers."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support import option_values as values
from edgevit.support.backend_options import OptionsInfo, Word
from edgevit.support.shape import Number, Text, WholeNumber

COUNT = 64  # calibration inputs: more change the ranges little
MOST_GENERATED = 32


@dataclass(frozen=True)
class CalibrationOptions:
    calibrate: str | None = None  # a folder of pictures, an .npy or .npz; None: generated
    calibrate_count: int = COUNT  # pictures, drawn evenly over class folders
    observer: str = "mse"  # how a range is chosen: min-max, percentile or mse
    min_snr: float | None = None  # dB on held-out inputs that mixed precision has to reach
    mixed_budget: str | None = (
        None  # what its wide values may cost: `macs=10%`, `size=2MB`, `latency=5ms`
    )
    bit_map: str | None = None  # file with its wide values: nothing is searched

    @property
    def of_mixed(self) -> dict[str, float | str]:
        """Map the words that mixed precision alone heeds to their values."""
        words = {
            "--min-snr": self.min_snr,
            "--mixed-budget": self.mixed_budget,
            "--bit-map": self.bit_map,
        }
        return {flag: value for flag, value in words.items() if value is not None}


GENERATED = CalibrationOptions()
CALIBRATION = OptionsInfo(
    CalibrationOptions,
    (
        Word(
            "calibrate",
            Text(),
            "PATH",
            "Folder of pictures, or an .npz or .npy [default: generated].",
        ),
        Word(
            "calibrate_count",
            WholeNumber(2, 4096),
            "N",
            f"Number of its pictures, drawn evenly over class folders [default: {COUNT}]; of generated ones, at most {MOST_GENERATED}.",
            values.pictures,
        ),
        Word(
            "observer",
            Text(("min-max", "percentile", "mse")),
            "O",
            "How ranges are chosen: min-max, percentile or mse [default: mse].",
        ),
        Word(
            "min_snr",
            Number(-100, 200),
            "DB",
            "Signal-to-noise ratio in dB that --precision mixed reaches on held-out inputs.",
            float,
        ),
        Word(
            "mixed_budget",
            Text(),
            "B",
            "Limit of what the wide values of --precision mixed cost: macs=10%%, size=2MB or latency=5ms.",
        ),
        Word(
            "bit_map",
            Text(),
            "FILE",
            "File with the wide values of --precision mixed, as an export wrote it.",
        ),
    ),
    heading="calibration, for integers",
    table="calibration",
)
