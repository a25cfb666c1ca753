"""`edgevit evaluate`: accuracy of an exported artifact, run from disk on labelled data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import numpy as np
import torch

from edgevit.backends import Artifact, run_here
from edgevit.errors import UsageError
from edgevit.evaluate.accuracy import Accuracy, accuracy, outputs_of, require_classifier
from edgevit.evaluate.classes import class_numbers
from edgevit.evaluate.labelled import LabelledData, Takes, read_labelled
from edgevit.exported import (
    accuracy_rows,
    load_golden,
    read_manifest,
    require_ours,
    require_untouched,
)
from edgevit.frontend import Preprocess
from edgevit.quantize import ImageInput
from edgevit.support.notebook import Row, Shown
from edgevit.support.progress import Stages

Metric: TypeAlias = Callable[[tuple[np.ndarray, ...], Any], float]


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """Accuracy of an artifact, or a metric of the caller's."""

    directory: Path
    artifact: Path
    data: str
    count: int
    rule: str  # which output stands for which label
    accuracy: Accuracy | None
    metric: float | None
    at_export: dict[str, Any] | None  # what the export measured, if it did
    seconds: float

    def as_dict(self) -> dict[str, object]:
        return {
            "directory": str(self.directory),
            "artifact": self.artifact.name,
            "data": self.data,
            "count": self.count,
            "labels": self.rule,
            "accuracy": self.accuracy.as_dict() if self.accuracy else None,
            "metric": self.metric,
            "at_export": self.at_export,
            "seconds": round(self.seconds, 3),
        }

    def _title(self) -> str:
        return str(self.artifact)

    def _rows(self) -> Iterator[Row]:
        if self.accuracy is not None:
            yield "accuracy", str(self.accuracy)
        if self.metric is not None:
            yield "metric", f"{self.metric:g}"
        for name, text in accuracy_rows(self.at_export):
            yield "at export" if name else "", text
        yield "data", f"{self.data}: {self.count} samples" + (f", {self.rule}" if self.rule else "")
        yield "time", f"{1e3 * self.seconds / self.count:.1f} ms a sample, pictures read and all"

    def __str__(self) -> str:
        return "\n".join(
            [str(self.artifact), *(f"  {name:<10} {text}" for name, text in self._rows())]
        )


def evaluate(
    directory: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    metric: Metric | None = None,
    labels: Sequence[str] | None = None,
    count: int | None = None,
    trust: bool = False,
    progress: TextIO | None = None,
) -> Evaluation:
    """Measure the accuracy of an exported artifact, run from disk on this machine.

    Args:
        directory: an exported folder, or the result of an export.
        data: a folder with a folder of pictures for each class, a folder with a `labels.csv` of
            lines `file,label`, or an `.npz` of `images` and `labels`. Pictures go through the
            preprocessing that the export recorded.
        metric: called once with a tuple of outputs, an array of all samples each, and the array of
            labels; it returns a number. None: top-1 and top-5. With it, labels may be anything.
        labels: the name of each output, in order. None: those that the export recorded.
        count: evaluate on so many samples, drawn evenly over the labels. None: on all.
        trust: run code in a folder that was not exported by you here.
        progress: a stream to report on, such as `sys.stderr`.

    Returns:
        The `Evaluation`: `print` shows it, `.accuracy.top1` is in percent.

    Raises:
        EdgevitError: the folder is damaged, nothing runs it here, or the data or its labels do not
            fit the model.

    Example:
        edgevit.evaluate("out/net-linux-x86", "imagenet/val").accuracy.top1
    """
    folder = Path(directory)
    opened = _opened(folder, trust)
    manifest, artifact, takes = opened.manifest, opened.artifact, opened.takes
    samples = read_labelled(os.fspath(data), takes, count)
    stages = Stages(progress)
    names = labels or manifest["model"].get("class_names", ())
    blank = Evaluation(
        folder, artifact.path, samples.source, len(samples), "", None, None,
        manifest.get("accuracy"), 0.0,
    )  # fmt: skip
    if metric is None:
        classes = require_classifier(opened.outputs, str(folder))
        _require_names(names, classes, labels is not None)
        numbers = class_numbers(samples.labels, names, classes, samples.source)
        logits, seconds = _outputs(artifact, samples, takes, stages)
        top = accuracy(logits[0], numbers.numbers)
        return replace(blank, rule=numbers.rule, accuracy=top, seconds=seconds)
    columns, seconds = _outputs(artifact, samples, takes, stages)
    return replace(blank, metric=float(metric(columns, np.array(samples.labels))), seconds=seconds)


def accuracy_on(directory: Path, data: str, rows: Sequence[int] | None = None) -> Accuracy:
    """Return the accuracy of a folder exported here, on some rows of labelled data or on all."""
    opened = _opened(directory, False)
    samples = read_labelled(data, opened.takes)
    names = opened.manifest["model"].get("class_names", ())
    classes = require_classifier(opened.outputs, str(directory))
    numbers = class_numbers(samples.labels, names, classes, samples.source).numbers
    if rows is not None:
        samples, numbers = samples.only(rows), numbers[list(rows)]
    logits, _ = _outputs(opened.artifact, samples, opened.takes, Stages())
    return accuracy(logits[0], numbers)


@dataclass(frozen=True)
class _Opened:
    """An exported folder that may be run: its artifact, what that takes, and its golden outputs."""

    manifest: dict[str, Any]
    artifact: Artifact
    takes: Takes
    outputs: tuple[torch.Tensor, ...]


def _opened(folder: Path, trust: bool) -> _Opened:
    manifest = read_manifest(folder)
    require_untouched(folder, manifest)
    require_ours(folder, manifest, trust)
    inputs, outputs = load_golden(folder)
    path = folder / manifest["artifact"]
    artifact = Artifact(manifest["format"], manifest["precision"], path, manifest["versions"])
    return _Opened(manifest, artifact, Takes(inputs, _image_input(manifest["model"])), outputs)


def _outputs(
    artifact: Artifact, samples: LabelledData, takes: Takes, stages: Stages
) -> tuple[tuple[np.ndarray, ...], float]:
    started = time.perf_counter()
    with stages.stage("evaluate", f"evaluate {artifact.path.name} on {len(samples)} samples"):
        columns = outputs_of(run_here(artifact), samples, takes.batch, stages.note)
    return columns, time.perf_counter() - started


def _image_input(model: Mapping[str, Any]) -> ImageInput:
    options, how = model["options"], model["preprocess"]
    return ImageInput(
        _preprocess(how) if how else None,
        bool(options.get("image_input")),
        bool(options.get("channels_last")),
    )


def _preprocess(how: Mapping[str, Any]) -> Preprocess:
    return Preprocess(
        tuple(how["mean"]),
        tuple(how["std"]),
        tuple(how["size"])[-2:],
        how["crop_pct"],
        how["interpolation"],
        how.get("channel_order", "rgb"),
        how.get("border"),
    )


def _require_names(names: Sequence[str], classes: int, from_user: bool) -> None:
    if from_user and len(names) != classes:
        raise UsageError(
            f"{len(names)} labels for a model with {classes} outputs",
            where="--labels",
            why="a label is found by the number of its output",
            hint="one label for each output, in order",
        )
