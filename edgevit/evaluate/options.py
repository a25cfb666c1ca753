"""Options of the evaluation during an export, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.support import option_values as values
from edgevit.support.backend_options import OptionsInfo, Word
from edgevit.support.shape import Number, Text, WholeNumber


@dataclass(frozen=True)
class EvaluationOptions:
    """Labelled data that the float model, the simulation and the artifact are evaluated on."""

    evaluate: str | None = None  # class folders, a folder with labels.csv, or an .npz
    evaluate_count: int | None = None  # samples, drawn evenly; None: all
    max_drop: float | None = None  # points of top-1 that the artifact may lose on the float model

    def require_data(self) -> None:
        """Refuse limits without the data that they are for."""
        for flag in EVALUATION.flags(self):
            if self.evaluate is None:
                raise UsageError(
                    f"{flag} needs labelled data",
                    where=flag,
                    why="without --evaluate nothing is measured that it could limit",
                    hint=f"--evaluate FOLDER, with a folder of pictures a class; or without {flag}",
                )


NO_EVALUATION = EvaluationOptions()
EVALUATION = OptionsInfo(
    EvaluationOptions,
    (
        Word(
            "evaluate",
            Text(),
            "PATH",
            "Labelled data to measure the accuracy of model and artifact on: class folders, labels.csv or an .npz.",
        ),
        Word(
            "evaluate_count",
            WholeNumber(1, 1_000_000),
            "N",
            "Number of its samples, drawn evenly [default: all].",
            values.count,
        ),
        Word(
            "max_drop",
            Number(0, 100),
            "POINTS",
            "Refuse an artifact that loses more points of top-1, such as 0.5.",
            values.points,
        ),
    ),
    heading="accuracy, on labelled data",
    table="evaluation",
)
