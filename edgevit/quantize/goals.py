"""What a search for mixed precision has to reach, and what it may spend."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from edgevit.errors import BudgetError, UsageError
from edgevit.graph.program import Inputs, Outputs, Program
from edgevit.quantize.held_out import HeldOut
from edgevit.quantize.trial import Trial, TrialResult

Run = Callable[[Inputs], Outputs]
Score = Callable[[Run], float]  # of a model on labelled data, in percent
Clock = Callable[[Program], float]  # milliseconds of one run of the file that a simulation becomes
COSINE = 0.995  # to the float model
_NUMBER = r"(\d+(?:\.\d+)?)"
_BUDGET = re.compile(rf"macs={_NUMBER}%|size={_NUMBER}(k|M|)B|latency={_NUMBER}(u|m)s")
_BYTES = {"": 1, "k": 1000, "M": 1000_000}
_MILLISECONDS = {"u": 1e-3, "m": 1.0}


@dataclass(frozen=True)
class MixedBudget:
    """The most that more bits may cost, in one of three units."""

    macs: float | None = None  # share that computes with more bits
    weight_bytes: int | None = None
    milliseconds: float | None = None  # of the file

    @property
    def is_latency(self) -> bool:
        return self.milliseconds is not None

    @property
    def is_limited(self) -> bool:
        return self != MixedBudget()

    def allows(self, share: float, weight_bytes: int) -> bool:
        if self.macs is not None and share > self.macs:
            return False
        return self.weight_bytes is None or weight_bytes <= self.weight_bytes


@dataclass(frozen=True)
class MixedGoal:
    """Least accuracy on the held-out runs, and the most that more bits may cost.

    With a budget alone, all of it is spent.
    """

    snr: float | None = None  # dB
    cosine: float = COSINE  # where nothing else is asked for
    score: Score | None = None
    least_score: float = 0.0  # percent that the simulation has to score
    budget: MixedBudget = MixedBudget()
    clock: Clock | None = None  # where the budget is a time

    @property
    def spends(self) -> bool:
        """Check for a budget without a target: all of it is spent."""
        return self.budget.is_limited and not self.has_target

    @property
    def has_target(self) -> bool:
        return self.snr is not None or self.score is not None

    def is_met(self, trial: Trial, result: TrialResult) -> bool:
        if self.snr is not None and result.snr < self.snr:
            return False
        if self.score is not None:
            return self.score(result.simulation.run) >= self.least_score - 1e-9
        return self.has_target or mean_cosine(result.held_out) >= self.cosine

    def milliseconds(self, result: TrialResult) -> float | None:
        """Time the file of a result; None where the budget is no time."""
        return self.clock(result.simulation) if self.clock and self.budget.is_latency else None

    def require_fast(self, milliseconds: float | None, bits: str) -> None:
        """Refuse a file that takes longer than the budget."""
        most = self.budget.milliseconds
        if milliseconds is None or most is None or milliseconds <= most:
            return
        raise BudgetError(
            f"the file takes longer than {most:g} ms",
            where="--mixed-budget",
            why=f"it takes {milliseconds:.3g} ms on this machine with {bits}",
            hint="a larger budget, a smaller --input-size, or a smaller model",
        )

    def require(self, met: bool, best: TrialResult) -> None:
        """Refuse a target that the budget does not reach."""
        if met or not self.has_target:
            return
        why = f"with all that may get more bits the simulation has {best.snr:.1f} dB on the held-out inputs"
        if self.score is not None:
            why += f", and scores {self.score(best.simulation.run):.2f}% where {self.least_score:.2f}% is asked for"
        raise BudgetError(
            "mixed precision does not reach the accuracy that was asked for",
            where="--precision mixed",
            why=why,
            hint="a larger --mixed-budget, a lower --min-snr or a higher --max-drop, or more calibration pictures",
        )


def parse_budget(text: str) -> MixedBudget:
    """Return what `text` allows more bits to cost."""
    match = _BUDGET.fullmatch(text)
    if match is None:
        raise UsageError(
            f"`{text}` is no budget of mixed precision",
            where="--mixed-budget",
            why="it is a share of the multiply-accumulates, the bytes of the weights, or the time of the file",
            hint="--mixed-budget macs=10%, size=2MB or latency=5ms",
        )
    share, size, unit, time, part = match.groups()
    if share is not None:
        return MixedBudget(macs=float(share) / 100)
    if size is not None:
        return MixedBudget(weight_bytes=int(float(size) * _BYTES[unit]))
    return MixedBudget(milliseconds=float(time) * _MILLISECONDS[part])


def mean_cosine(runs: Sequence[HeldOut]) -> float:
    """Return the mean over the runs, of the worst output."""
    cosines = [
        [_cosine(a, b) for a, b in zip(run.outputs, run.simulated, strict=True)] for run in runs
    ]
    return min(float(torch.stack(of_output).mean()) for of_output in zip(*cosines, strict=True))


def _cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cosine_similarity(a.flatten().double(), b.flatten().double(), 0)
