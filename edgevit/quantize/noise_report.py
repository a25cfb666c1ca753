"""Report of what quantisation costs, measured in the simulation."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.quantize.noise import ValueNoise
from edgevit.quantize.placement import Island
from edgevit.quantize.trial import Method

_GAP = 3.0  # dB between the halves: above it the ranges do not carry over
NOISY = 20.0  # dB: with noise of a tenth, answers that are close to one another change


@dataclass(frozen=True)
class NoiseReport:
    """What quantisation costs, measured in the simulation."""

    fitted_snr: float  # dB, on the inputs that chose the ranges
    held_out_snr: float  # dB, on the others
    methods: tuple[Method, ...]
    islands: tuple[Island, ...]
    values: tuple[ValueNoise, ...]

    @property
    def halves_disagree(self) -> bool:
        return self.fitted_snr - self.held_out_snr > _GAP

    @property
    def is_noisy(self) -> bool:
        return self.held_out_snr < NOISY

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.halves_disagree:
            return ()
        return (
            f"the calibration inputs do not speak for others: {self.fitted_snr:.1f} dB on the half that "
            f"chose the ranges, {self.held_out_snr:.1f} dB on the other; calibrate on more or other pictures",
        )

    def as_dict(self) -> dict[str, object]:
        return {
            "snr": {"fitted": round(self.fitted_snr, 2), "held_out": round(self.held_out_snr, 2)},
            "methods": [method.as_dict() for method in self.methods],
            "float_islands": [island.as_dict() for island in self.islands],
            "values": [value.as_dict() for value in self.values],
        }
