"""`edgevit quantize`: what integers do to a model for a device, without lowering it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgevit.exported import SCHEMA, island_rows
from edgevit.frontend import ModelSource
from edgevit.quantize import QuantizedProgram, ValueNoise, costliest, weight_bytes
from edgevit.support.notebook import Row, Shown

_BAR = 24  # characters of the best value
_COSTLY = 8


@dataclass(frozen=True, repr=False)
class QuantizationReport(Shown):
    """Result of `edgevit quantize`. `values`: the noise of each value, in the order of the graph."""

    source: ModelSource
    target: str
    format: str
    precision: str
    quantized: QuantizedProgram

    @property
    def values(self) -> tuple[ValueNoise, ...]:
        return self.quantized.report.values

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "model": self.source.name,
            "target": self.target,
            "format": self.format,
            "precision": self.precision,
            "quantization": self.quantized.as_dict(),
            "costliest": [value.call for value in costliest(self.values)],
            "weight_bytes": self._weight_bytes(),
        }

    def _weight_bytes(self) -> dict[str, int]:
        weights = weight_bytes(self.quantized.weights.values(), ())
        return {"before": 4 * weights.weights, "after": weights.expected}

    def _title(self) -> str:
        return f"{self.source.name} for {self.target}: {self.format} {self.precision}"

    def _rows(self) -> Iterator[Row]:
        report, bytes_ = self.quantized.report, self._weight_bytes()
        yield "noise", f"{report.held_out_snr:.1f} dB on inputs held out, {report.fitted_snr:.1f} dB on those that chose the ranges"  # fmt: skip
        yield "weights", f"{bytes_['before'] / 1e6:.2f} -> {bytes_['after'] / 1e6:.2f} MB of {len(self.quantized.weights)} calls"  # fmt: skip
        yield "calibration", f"{len(self.quantized.calibration.inputs)} inputs, {self.quantized.calibration.source}"  # fmt: skip
        for warning in self.quantized.warnings:
            yield "warning", warning

    def __str__(self) -> str:
        rows = [self._title(), *(f"  {name:<12} {text}" for name, text in self._rows())]
        parts = (self._methods(), self._islands(), self._waterfall(), self._costliest())
        return "\n".join([*rows, *(line for part in parts for line in ("", *part))])

    def _methods(self) -> Iterator[str]:
        yield "what each method brings               dB before   after"
        for method in self.quantized.report.methods:
            taken = "" if method.taken else "   not taken"
            yield f"  {method.name:<36}{method.before:9.1f} {method.after:7.1f}{taken}"

    def _islands(self) -> Iterator[str]:
        islands = self.quantized.report.islands
        yield from island_rows([island.as_dict() for island in islands])
        for island in islands:
            yield f"    {island.kind:<28} {island.module} {island.source}".rstrip()

    def _waterfall(self) -> Iterator[str]:
        yield "noise along the graph                     dB"
        for value in self.values:
            length = round(_BAR * max(0.0, min(value.snr, 60.0)) / 60)
            yield f"  {value.kind[:20]:<20} {value.module[-16:]:<16} {min(value.snr, 99.9):5.1f} {'#' * length:<{_BAR}} {value.source}".rstrip()  # fmt: skip

    def _costliest(self) -> Iterator[str]:
        yield "calls that add most noise              dB before   after"
        for value in costliest(self.values)[:_COSTLY]:
            name = f"{value.kind} {value.module}"
            yield f"  {name[:36]:<36}{min(value.before, 99.9):9.1f} {value.snr:7.1f}   {value.source}"
