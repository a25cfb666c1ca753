"""Accuracy measured during an export: of the float model, of the simulation and of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.errors import BudgetError
from edgevit.evaluate.accuracy import (
    Accuracy,
    Outputs,
    Progress,
    Run,
    accuracy,
    outputs_of,
    require_classifier,
)
from edgevit.evaluate.classes import ClassNumbers, class_numbers
from edgevit.evaluate.labelled import LabelledData, Takes, read_labelled
from edgevit.evaluate.options import EvaluationOptions
from edgevit.quantize import NoiseReport, costliest

_SHOWN = 4  # layers


@dataclass(frozen=True)
class LabelledTest:
    """Labelled data that fits a model, for all formats of an export."""

    data: LabelledData
    numbers: ClassNumbers
    batch: int

    @classmethod
    def opened(
        cls, options: EvaluationOptions, takes: Takes, names: Sequence[str], outputs: Outputs
    ) -> LabelledTest:
        assert options.evaluate is not None
        classes = require_classifier(outputs, options.evaluate)
        data = read_labelled(options.evaluate, takes, options.evaluate_count)
        return cls(data, class_numbers(data.labels, names, classes, data.source), takes.batch)

    def accuracy(self, run: Run, progress: Progress) -> Accuracy:
        (logits, *_) = outputs_of(run, self.data, self.batch, progress)
        return accuracy(logits, self.numbers.numbers)


@dataclass(frozen=True)
class ExportAccuracy:
    """What an export measured. `simulation`: of a quantised program."""

    test: LabelledTest
    original: Accuracy  # of the model as it was given, in floats
    simulation: Accuracy | None
    artifact: Accuracy

    @property
    def drop(self) -> float:
        return self.original.top1 - self.artifact.top1

    def as_dict(self) -> dict[str, Any]:
        return {
            "data": self.test.data.source,
            "count": len(self.test.data),
            "labels": self.test.numbers.rule,
            "float": self.original.as_dict(),
            "simulation": self.simulation.as_dict() if self.simulation else None,
            "file": self.artifact.as_dict(),
        }

    def require_drop(
        self, most: float | None, noise: NoiseReport | None, precisions: Sequence[str]
    ) -> None:
        """Refuse an artifact that loses more points of top-1 than `most`."""
        if most is None or self.drop <= most + 1e-9:
            return
        why = [f"{self.original} in floats, {self.artifact} in the file"]
        why += _layers(noise)
        instead = " or ".join(f"--precision {precision}" for precision in precisions)
        raise BudgetError(
            f"the artifact loses {self.drop:.2f} points of top-1, and --max-drop is {most:g}",
            where=f"--evaluate {self.test.data.source}, {len(self.test.data)} samples",
            why="\n".join(why),
            hint=f"{instead + '; ' if instead else ''}more calibration pictures, of the kind it will see",
        )


def _layers(noise: NoiseReport | None) -> list[str]:
    """Return lines for the calls that add most noise, with the user's module and line."""
    worst = costliest(noise.values)[:_SHOWN] if noise else []
    lines = [
        f"{one.kind} {one.module or one.call} {one.source}: {one.before:.1f} -> {one.snr:.1f} dB"
        for one in worst
    ]
    return ["the calls that add most noise:", *lines] if lines else []
