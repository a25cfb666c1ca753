"""A quantised model: its integer graph, its ports, and the noise of each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch

from edgevit.errors import UsageError, suggest
from edgevit.graph.program import Inputs
from edgevit.graph.tensors import from_numpy
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.ports import Port
from edgevit.integer.simulate import calls_of, outputs_of
from edgevit.quantize import OBSERVERS

_LOW = 10.0  # dB; a cosine of 0.95
RESIDUALS = ("int8", "int16")
FUNCTIONS = ("exact", "i-vit")


@dataclass(frozen=True)
class ValueReport:
    """Noise of one value.

    `decibels` is 10 log10 of the energy of the float value over that of the difference.
    """

    name: str
    call: str
    module: str
    source: str  # the user's line
    decibels: float
    scale: float
    dtype: str
    clipped: float  # share of the integers at an end of the grid that is not zero

    def as_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "decibels": round(self.decibels, 2),
            "clipped": round(self.clipped, 5),
        }


@dataclass(frozen=True)
class QuantReport:
    """Noise of every value, in the order of the program."""

    values: tuple[ValueReport, ...]

    @property
    def worst(self) -> tuple[ValueReport, ...]:
        return tuple(sorted(self.values, key=lambda value: value.decibels))

    @property
    def lost_at(self) -> ValueReport | None:
        """The first value that is more noise than signal can bear: what is behind it has its noise too."""
        return next((value for value in self.values if value.decibels < _LOW), None)

    @property
    def outputs(self) -> float:
        """Decibels of the last value."""
        return self.values[-1].decibels if self.values else inf

    def as_dict(self) -> dict[str, Any]:
        return {"values": [value.as_dict() for value in self.values]}

    def text(self, count: int = 10) -> str:
        lines = [f"{'dB':>6}  {'clipped':>8}  value"]
        for value in self.worst[:count]:
            place = "".join(f"   {part}" for part in (value.module, value.source) if part)
            lines.append(
                f"{value.decibels:6.1f}  {value.clipped:8.3%}  {value.call} {value.name}{place}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class QuantOptions:
    """Options of quantisation.

    `observer` chooses the ranges. `residual` is the type of the residual stream. `softmax` and
    `gelu` select how their tables are computed: exactly, or with I-ViT's shifts.
    """

    observer: str = "mse"
    residual: str = "int8"
    softmax: str = "exact"
    gelu: str = "exact"
    wide: tuple[str, ...] = ()  # values of 16 bits besides the stream
    equalize: bool = True
    report_inputs: int = 2  # of the calibration inputs: how many the report compares

    def check(self) -> QuantOptions:
        for name, words in (
            ("observer", tuple(OBSERVERS)), ("residual", RESIDUALS), ("softmax", FUNCTIONS), ("gelu", FUNCTIONS),
        ):  # fmt: skip
            word = getattr(self, name)
            if word not in words:
                raise UsageError(f"there is no {name} `{word}`", hint=suggest(word, words))
        return self


@dataclass(frozen=True)
class Quantized:
    """The integer graph, its ports, and the noise of each of its values."""

    graph: IntegerGraph
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    report: QuantReport
    options: QuantOptions

    def quantized(self, inputs: Inputs) -> tuple[np.ndarray, ...]:
        pairs = zip(self.inputs, inputs, strict=True)
        return tuple(port.quantized(x.detach().numpy()) for port, x in pairs)

    def dequantized(self, outputs: tuple[np.ndarray, ...]) -> tuple[torch.Tensor, ...]:
        pairs = zip(self.outputs, outputs, strict=True)
        return tuple(from_numpy(port.dequantized(y)) for port, y in pairs)

    def run(self, inputs: Inputs) -> tuple[torch.Tensor, ...]:
        """Run the integer graph on real inputs and return real outputs."""
        return self.dequantized(outputs_of(self.graph, self.quantized(inputs)))

    def run_all(self, runs: Sequence[Inputs]) -> list[tuple[torch.Tensor, ...]]:
        """Run on each of several inputs, one call after the other where the graph has states."""
        calls = [self.graph.passed(self.quantized(inputs)) for inputs in runs]
        results = calls_of(self.graph, calls)
        return [self.dequantized(outputs) for outputs in results]
