"""Labelled data of a search: a quarter of the samples, drawn evenly, chooses; the others are learnt from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgevit.errors import CalibrationError
from edgevit.evaluate import Takes, check_labelled, class_count, class_numbers, read_labelled
from edgevit.frontend import ModelSource
from edgevit.quantize import ImageInput, list_pictures, open_picture, read_numbers

_EVERY = 4  # sample chooses
_LARGEST = 96  # pixels that pictures are read at, unless another size is asked for
_CALIBRATED_ON = 64  # images of an .npz
CALIBRATION_FILE = "calibration.npy"


@dataclass(frozen=True)
class LearningData:
    images: torch.Tensor  # as the float model takes them
    labels: torch.Tensor
    rows: tuple[int, ...]  # of the source, that choose

    @property
    def choosing(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[list(self.rows)], self.labels[list(self.rows)]

    @property
    def learnt(self) -> tuple[torch.Tensor, torch.Tensor]:
        rows = sorted(set(range(len(self.labels))) - set(self.rows))
        return self.images[rows], self.labels[rows]


@dataclass(frozen=True)
class DataFacts:
    """What the built-in nets are fitted to."""

    size: int  # pixels
    classes: int


def facts_of(path: str | None, size: int | None) -> DataFacts:
    """Read the size of pictures and the number of classes, before any net is built."""
    if path is None:
        return DataFacts(size or 32, 10)
    check_labelled(path)
    if Path(path).is_dir():
        listed = list_pictures(Path(path))
        own = min(min(open_picture(listed[0].path, "RGB").size), _LARGEST)
        return DataFacts(size or own - own % 4, class_count([one.label for one in listed]))
    arrays = read_numbers(Path(path))
    labels = next((arrays[name] for name in ("labels", "y") if name in arrays), np.zeros(1, int))
    images = next((arrays[name] for name in ("images", "x") if name in arrays), np.zeros((1, 1)))
    return DataFacts(size or int(images.shape[-1]), class_count(labels.ravel()))


def opener(path: str) -> Callable[[ModelSource], LearningData]:
    """Return a reader of the data as a model takes it. Data that was read stays for the next model."""
    cache: dict[object, LearningData] = {}

    def opened(source: ModelSource) -> LearningData:
        key = tuple(source.inputs[0].shape[1:]), source.preprocess
        if key not in cache:
            cache.clear()
            cache[key] = _read(path, source)
        return cache[key]

    return opened


def _read(path: str, source: ModelSource) -> LearningData:
    takes = Takes(source.inputs, ImageInput(source.preprocess, False, False))
    data = read_labelled(path, takes)
    with torch.no_grad():
        (outputs, *_) = _outputs(source)
    if outputs.dim() != 2:
        raise CalibrationError(
            "the nets of the space are no classifiers",
            where=source.spec,
            why=f"the first output is {'x'.join(map(str, outputs.shape))}, not a number a class",
            hint="--train MODULE:FUNCTION that trains and scores them, without --data",
        )
    numbers = class_numbers(data.labels, source.labels, outputs.shape[1], data.source).numbers
    images = torch.cat([data.read(index)[0] for index in range(len(data))])
    return LearningData(images, torch.from_numpy(numbers), choosing_rows(data.labels))


def _outputs(source: ModelSource) -> tuple[torch.Tensor, ...]:
    outputs = source.module(*source.inputs)
    return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)


def choosing_rows(labels: Sequence[str] | np.ndarray) -> tuple[int, ...]:
    """Return every fourth row of each label."""
    seen: dict[object, int] = {}
    rows = []
    for row, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] % _EVERY == 0:
            rows.append(row)
    if not rows or len(rows) == len(labels):
        raise CalibrationError(
            "there are too few samples to learn from and to choose by",
            where=f"{len(labels)} samples",
            why=f"every {_EVERY}th of a label chooses, and no label has as many",
            hint="more samples of each class",
        )
    return tuple(rows)


def calibration_of(path: str, folder: Path) -> str:
    """Return what an export is calibrated on: the pictures, or images of the .npz in a file of their own."""
    if Path(path).is_dir():
        return path
    arrays = read_numbers(Path(path))
    images = next(arrays[name] for name in ("images", "x") if name in arrays)
    folder.mkdir(parents=True, exist_ok=True)
    count = min(len(images), _CALIBRATED_ON)
    rows = [index * len(images) // count for index in range(count)]
    np.save(folder / CALIBRATION_FILE, np.asarray(images)[rows].astype(np.float32))
    return str(folder / CALIBRATION_FILE)
