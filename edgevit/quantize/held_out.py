"""Runs that chose neither a range nor a weight: what quantisation is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, log, sqrt

import torch

from edgevit.graph.parity import (
    Distance,
    Limit,
    Parity,
    Ranking,
    angle_limit,
    distance,
    real_numbers,
)
from edgevit.graph.program import Inputs, Outputs, Program
from edgevit.graph.ranking import in_order, rankings_of, run_ranked, with_moves
from edgevit.quantize.noise import snr

QUANTIZED = angle_limit(0.95)  # of the simulation: below it little is left of the model
_LOSS = 1.5  # dB that a file may lose on the simulation
_MOST_LOSS = 3.0  # the same, where chance could take more: twice the noise
_MOST_OF_LITTLE = 6.0  # the same, where noise is less than a tenth of the outputs with it
_LITTLE = 0.1  # relative L2
_SIGMAS = 3.0
_EXACT = 60.0  # dB: beyond it the noise is that of float kernels


@dataclass(frozen=True)
class HeldOut:
    """One run: the float model's outputs, and those of the simulation, its rows in the model's order."""

    inputs: tuple[torch.Tensor, ...]
    outputs: Outputs
    simulated: Outputs
    rankings: tuple[Ranking, ...] = ()  # where outputs are in order of a score

    def ordered(self, actual: Outputs) -> Outputs:
        """Return outputs with rows in the model's order where integers do not tell their scores apart."""
        return in_order(self.outputs, actual, self.rankings, self.simulated)


@dataclass(frozen=True)
class Judges:
    """Runs that judge, with the float model's outputs and the scores that order them."""

    inputs: Sequence[Inputs]
    outputs: Sequence[Outputs]
    rankings: Sequence[tuple[Ranking, ...]]

    @classmethod
    def of(cls, program: Program, inputs: Sequence[Inputs]) -> Judges:
        return cls(inputs, *run_ranked(program, inputs))

    @classmethod
    def knowing(
        cls, program: Program, inputs: Sequence[Inputs], outputs: Sequence[Outputs]
    ) -> Judges:
        """Return runs whose outputs are known: they run again only where scores order them."""
        return cls(inputs, outputs, [rankings_of(program, one) for one in inputs])

    def of_simulation(self, simulation: Program) -> tuple[HeldOut, ...]:
        outputs, rankings = run_ranked(simulation, self.inputs)
        runs: list[HeldOut] = []
        for k, simulated in enumerate(outputs):
            near = with_moves(self.rankings[k], rankings[k])
            expected = self.outputs[k]
            ordered = in_order(expected, simulated, near)
            runs.append(HeldOut(tuple(self.inputs[k]), expected, ordered, near))
        return tuple(runs)


def simulated_snr(runs: Sequence[HeldOut]) -> float:
    """Return the ratio in dB of the simulation's noise over all runs, of the worst output."""
    return snr([run.outputs for run in runs], [run.simulated for run in runs])


def simulation_parity(runs: Sequence[HeldOut], precision: str) -> Parity:
    """Compare the simulation with the float model."""
    return Parity(
        "quantized",
        precision,
        _together([run.outputs for run in runs], [run.simulated for run in runs]),
        QUANTIZED,
    )


def file_parity(
    runs: Sequence[HeldOut], written: Sequence[Outputs], precision: str, stage: str
) -> Parity:
    """Compare a file's outputs with the float model's: it may be as noisy as its simulation.

    A rounding that flips spreads through the layers behind it, so that the file and the simulation
    differ by as much as either differs from the float model. Few numbers may differ more by chance.
    """
    expected = [run.outputs for run in runs]
    simulated = [run.simulated for run in runs]
    ordered = [run.ordered(outputs) for run, outputs in zip(runs, written, strict=True)]
    noise = _together(expected, simulated).rel_l2
    chance = _chance(expected, simulated)
    usual, little = (noise * _times(chance, most) for most in (_MOST_LOSS, _MOST_OF_LITTLE))
    limit = Limit(max(usual, min(little, _LITTLE), 10 ** (-_EXACT / 20)))
    note = (
        f"held-out noise: {snr(expected, ordered):.1f} dB in the file, "
        f"{snr(expected, simulated):.1f} dB in the simulation"
    )
    return Parity(stage, precision, _together(expected, ordered), limit, notes=(note,))


def _times(chance: float, most: float) -> float:
    return 10 ** (max(_LOSS, min(chance, most)) / 20)


def _chance(expected: Sequence[Outputs], simulated: Sequence[Outputs]) -> float:
    """Return the decibels by which the noise of two roundings may differ by chance on these runs."""
    pairs = zip(_stacked(expected), _stacked(simulated), strict=True)
    errors = [real_numbers(b) - real_numbers(a) for a, b in pairs]
    fewest = min(map(independent_numbers, errors))
    return _SIGMAS * 10 / log(10) * sqrt(4 / fewest)  # of the ratio of two sums of n squares


def independent_numbers(errors: torch.Tensor) -> float:
    """Return how many independent numbers fluctuate as the sum of squares of R errors does.

        n = R (tr C)^2 / tr C^2        C: the covariance of one error

    Products of different errors estimate tr C^2. A single error, or none at all, says nothing.
    """
    rows = errors.reshape(len(errors), -1)  # an output may be one number
    count, products = len(rows), rows @ rows.T
    squares = products.diagonal().sum()
    different = products.square().sum() - products.diagonal().square().sum()
    if count < 2 or not isfinite(squares) or different <= 0:
        return inf
    return float(count * (squares / count) ** 2 / (different / (count * (count - 1))))


def _together(expected: Sequence[Outputs], actual: Sequence[Outputs]) -> Distance:
    """Return the distance over all runs, one vector an output."""
    return distance(_stacked(expected), _stacked(actual))


def _stacked(runs: Sequence[Outputs]) -> list[torch.Tensor]:
    return [torch.stack(list(column)) for column in zip(*runs, strict=True)]
