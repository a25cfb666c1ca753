"""Accuracy of a function of a model's inputs on labelled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from edgevit.errors import CalibrationError
from edgevit.evaluate.labelled import LabelledData
from edgevit.graph.program import Inputs, Outputs

Run: TypeAlias = Callable[[Inputs], Outputs]
Progress: TypeAlias = Callable[[str], None]
_FEW = 5  # classes: the right one is always among them


@dataclass(frozen=True)
class Accuracy:
    """Percent of samples whose label is the largest output, or among the five largest."""

    top1: float
    top5: float | None  # None: there are no more than five classes

    def as_dict(self) -> dict[str, float | None]:
        top5 = None if self.top5 is None else round(self.top5, 3)
        return {"top1": round(self.top1, 3), "top5": top5}

    def __str__(self) -> str:
        return f"top-1 {self.top1:.2f} %" + (
            "" if self.top5 is None else f", top-5 {self.top5:.2f} %"
        )


def outputs_of(
    run: Run, data: LabelledData, batch: int, progress: Progress = lambda _: None
) -> tuple[np.ndarray, ...]:
    """Return the outputs for all samples, in their order, one array an output."""
    columns: list[list[np.ndarray]] = []
    done = 0
    for inputs, count in data.batches(batch):
        outputs = run(inputs)
        columns = columns or [[] for _ in outputs]
        for column, output in zip(columns, outputs, strict=True):
            column.append(output.numpy()[:count] if output.dim() else output.numpy()[None])
        done += count
        progress(f"evaluate: {done} of {len(data)}")
    return tuple(np.concatenate(column) for column in columns)


def require_classifier(outputs: tuple[torch.Tensor, ...], where: str) -> int:
    """Return the number of classes. Raises `CalibrationError` for a model that has none."""
    shape = tuple(outputs[0].shape)
    if len(shape) != 2 or shape[1] < 2:
        raise CalibrationError(
            "the model is no classifier",
            where=where,
            why=f"its first output is {'x'.join(map(str, shape)) or 'a scalar'}, not a number a class",
            hint="edgevit.evaluate(DIR, DATA, metric=FUNCTION) in Python, for a metric of yours",
        )
    return shape[1]


def accuracy(logits: np.ndarray, numbers: np.ndarray) -> Accuracy:
    """Score a row of outputs a sample. Of equal outputs the first is the larger, as in argmax."""
    rows = np.arange(len(logits))
    own = logits[rows, numbers][:, None]
    before = np.arange(logits.shape[1])[None] < numbers[:, None]
    ranks = ((logits > own) | ((logits == own) & before)).sum(1)
    ranks = np.where(np.isnan(logits).any(1), logits.shape[1], ranks)
    top5 = None if logits.shape[1] <= _FEW else 100 * float((ranks < 5).mean())
    return Accuracy(100 * float((ranks < 1).mean()), top5)
