"""Gate of firmware: pictures that chose neither a range nor a weight, and every output by its mean and its worst.

A cosine of few numbers says little, and a relative L2 is large wherever an output is nearly zero: such outputs have one
cosine over all pictures, and errors are relative to what the output is over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import torch

from edgevit.graph.parity import UNKNOWN, Distance, Parity, angle_limit, distance
from edgevit.integer import Port, Quantized
from edgevit.quantize import LIMITS, HeldOut, Outputs

_MEAN, _WORST = 0.99, 0.97
MEAN, WORST = angle_limit(_MEAN), angle_limit(_WORST)
EXAMPLE = angle_limit(0.9)  # one picture says little; unlike the calibration's it saturates
_FEW = 8  # numbers of an output
_SMALL = 0.1  # share of an output's range


@dataclass(frozen=True)
class OutputDistance:
    """One output over all pictures: its mean, its worst picture, and the share of its range that is used."""

    mean: Distance
    worst: Distance
    used: float

    def __str__(self) -> str:
        few = f"; the model uses {self.used:.1%} of its range" if self.used < _SMALL else ""
        return (
            f"cosine {self.mean.cosine:.4f} in the mean, {self.worst.cosine:.4f} at worst; relative L2 "
            f"{self.mean.rel_l2:.3f} and {self.worst.rel_l2:.3f}{few}"
        )


def judged(
    runs: Sequence[HeldOut], written: Sequence[Outputs], ports: Sequence[Port]
) -> tuple[Parity, Parity]:
    """Compare integers with the float model on held-out pictures: in the mean, and at the worst."""
    outputs = distances(runs, written, ports)
    notes = [f"{len(runs)} held-out pictures", *map(str, outputs)]
    if len(outputs) > 1:
        notes[1:] = [f"output {index}: {output}" for index, output in enumerate(outputs)]
    return (
        Parity("integers", "int8", _worst([one.mean for one in outputs]), MEAN, notes=tuple(notes)),
        Parity("integers, worst picture", "int8", _worst([one.worst for one in outputs]), WORST),
    )


def judged_example(expected: Outputs, written: Outputs) -> Parity:
    """Compare integers with the model on the export's own example, which calibration may not cover."""
    return Parity("integers, example", "int8", distance(expected, written), EXAMPLE)


def distances(
    runs: Sequence[HeldOut], written: Sequence[Outputs], ports: Sequence[Port]
) -> list[OutputDistance]:
    return [
        _over_pictures([run.outputs[k] for run in runs], [one[k] for one in written], port)
        for k, port in enumerate(ports)
    ]


def passes(quantized: Quantized, runs: Sequence[HeldOut], room: float = 1.0) -> bool:
    """Check integers against the limits of an export, or against a share of the noise that these allow."""
    mean, worst = (angle_limit(1 - room * (1 - cosine)) for cosine in (_MEAN, _WORST))
    outputs = distances(runs, [run.simulated for run in runs], quantized.outputs)
    return all(mean.holds(one.mean) and worst.holds(one.worst) for one in outputs)


def _over_pictures(
    expected: Sequence[torch.Tensor], actual: Sequence[torch.Tensor], port: Port
) -> OutputDistance:
    whole = distance([torch.stack(list(expected))], [torch.stack(list(actual))])
    pairs = [distance([a], [b]) for a, b in zip(expected, actual, strict=True)]
    if UNKNOWN in pairs:
        return OutputDistance(UNKNOWN, UNKNOWN, 0.0)
    energies = [float(a.double().square().sum()) for a in expected]
    errors = [
        float((a.double() - b.double()).square().sum())
        for a, b in zip(expected, actual, strict=True)
    ]
    usual = sum(energies) / len(energies)
    worst_l2 = (max(errors) / usual) ** 0.5 if usual else float("inf") if max(errors) else 0.0
    few = expected[0].numel() < _FEW
    cosines = [whole.cosine] if few else [pair.cosine for pair in pairs]
    agree = sum(pair.top1_agree for pair in pairs) / len(pairs)
    mean = Distance(whole.max_abs, whole.rel_l2, sum(cosines) / len(cosines), agree)
    worst = Distance(whole.max_abs, worst_l2, min(cosines), min(p.top1_agree for p in pairs))
    return OutputDistance(mean, worst, _used(expected, port))


def _used(expected: Sequence[torch.Tensor], port: Port) -> float:
    """Return the share of the range that an output's integers reach."""
    least, most = LIMITS[port.value.dtype]
    values = torch.stack(list(expected))
    values = values[values.isfinite()]
    span = float(values.max() - values.min()) if values.numel() else 0.0
    return span / (port.value.scale * (most - least)) if isfinite(span) else 1.0


def _worst(distances: Sequence[Distance]) -> Distance:
    return Distance(
        max(d.max_abs for d in distances),
        max(d.rel_l2 for d in distances),
        min(d.cosine for d in distances),
        min(d.top1_agree for d in distances),
    )
