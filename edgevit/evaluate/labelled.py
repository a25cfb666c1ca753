"""Labelled data: pictures in class folders or listed in `labels.csv`, or arrays from an .npz."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgevit.errors import CalibrationError
from edgevit.graph.program import Inputs
from edgevit.graph.tensors import from_numpy
from edgevit.quantize import (
    LABELS,
    ImageInput,
    PictureFile,
    draw_evenly,
    list_pictures,
    picture_input,
    read_numbers,
    read_picture,
)
from edgevit.support.file_limits import why_no_file

_IMAGES, _LABELS = ("images", "x"), ("labels", "y")


@dataclass(frozen=True)
class Takes:
    """What a model takes: example inputs, and how a picture is made one."""

    inputs: Inputs
    image_input: ImageInput

    @property
    def batch(self) -> int:
        return self.inputs[0].shape[0] if self.inputs[0].dim() else 1


@dataclass(frozen=True)
class LabelledData:
    """Samples of one row each, read as they are needed. `labels`: texts, or numbers of an array."""

    source: str
    labels: tuple[str, ...] | np.ndarray
    read: Callable[[int], Inputs]

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, rows: Sequence[int]) -> LabelledData:
        """Return the samples of these rows alone."""
        if isinstance(self.labels, np.ndarray):
            labels: tuple[str, ...] | np.ndarray = self.labels[list(rows)]
        else:
            labels = tuple(self.labels[row] for row in rows)
        return LabelledData(self.source, labels, lambda index: self.read(rows[index]))

    def batches(self, size: int) -> Iterator[tuple[Inputs, int]]:
        """Yield inputs of `size` rows, and how many of them are samples: the last is repeated."""
        for start in range(0, len(self), size):
            rows = [self.read(i) for i in range(start, min(start + size, len(self)))]
            whole = rows + [rows[-1]] * (size - len(rows))
            yield tuple(torch.cat(column) for column in zip(*whole, strict=True)), len(rows)


def check_labelled(path: str | Path) -> None:
    """Refuse a path without labelled data, before a model is built."""
    path = Path(path)
    if path.is_dir():
        _require_labels(list_pictures(path), path)
    elif path.suffix == ".npz" and not why_no_file(path):
        read_numbers(path)
    else:
        raise _no_data(path)


def read_labelled(path: str | Path, takes: Takes, count: int | None = None) -> LabelledData:
    """Open labelled data. `count`: draw no more, evenly over the labels."""
    path = Path(path)
    if path.is_dir():
        return _pictures(path, takes, count)
    if path.suffix == ".npz" and not why_no_file(path):
        return _arrays(path, takes, count)
    raise _no_data(path)


def _no_data(path: Path) -> CalibrationError:
    return CalibrationError(
        f"there is no labelled data in {path.name or path}",
        where=str(path),
        why=why_no_file(path) or "it is no folder and no .npz",
        hint=f"a folder with a folder of pictures for each class, or with {LABELS}; or an .npz of "
        "`images` and `labels`",
    )


def _require_labels(listed: Sequence[PictureFile], path: Path) -> None:
    if bare := [one.path.name for one in listed if not one.label]:
        raise CalibrationError(
            "pictures without a label",
            where=str(path),
            why=f"{len(bare)} are beside the class folders, the first is {bare[0]}",
            hint=f"a folder for each class, or {LABELS} with a line `file,label` for each picture",
        )


def _pictures(path: Path, takes: Takes, count: int | None) -> LabelledData:
    listed = list_pictures(path)
    _require_labels(listed, path)
    sizes, how = picture_input(takes.inputs, takes.image_input, str(path))
    drawn = listed if count is None else draw_evenly(listed, count)

    def read(index: int) -> Inputs:
        return (read_picture(drawn[index].path, sizes, takes.image_input, how),)

    return LabelledData(str(path), tuple(one.label for one in drawn), read)


def _arrays(path: Path, takes: Takes, count: int | None) -> LabelledData:
    arrays = read_numbers(path)
    images, labels = (_one_of(arrays, names, path) for names in (_IMAGES, _LABELS))
    if len(images) != len(labels) or not len(images):
        raise CalibrationError(
            "images and labels are not of one length",
            where=str(path),
            why=f"{len(images)} images, {len(labels)} labels",
            hint="one label for each image",
        )
    _require_shape(images, takes, path)
    drawn = range(len(images)) if count is None else range(min(count, len(images)))
    order = [index * len(images) // len(drawn) for index in drawn]

    def read(index: int) -> Inputs:
        row = from_numpy(np.array(images[order[index]], np.float32))[None]
        if not bool(row.isfinite().all()):
            raise CalibrationError(
                "an image has NaN or infinite values",
                where=f"{path}, image {order[index]}",
                why="no label is to be expected of it",
                hint="leave it out",
            )
        return (row,)

    return LabelledData(str(path), labels[order], read)


def _one_of(arrays: dict[str, Any], names: tuple[str, ...], path: Path) -> np.ndarray:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise CalibrationError(
        f"there is no array `{names[0]}`",
        where=str(path),
        why=f"it has {', '.join(arrays) or 'none'}",
        hint="np.savez(path, images=..., labels=...)",
    )


def _require_shape(images: np.ndarray, takes: Takes, path: Path) -> None:
    shape = tuple(takes.inputs[0].shape[1:])
    if len(takes.inputs) != 1 or images.shape[1:] != shape:
        raise CalibrationError(
            f"an image is of shape {_sizes(images.shape[1:])}, not {_sizes(shape)}",
            where=str(path),
            why=f"the model takes {', '.join(_sizes(x.shape) for x in takes.inputs)}",
            hint="give images as the model takes them, normalised; or a folder of pictures",
        )
    pixels = images.dtype == np.uint8 and not takes.image_input.pixels
    if pixels and takes.image_input.preprocess is not None:
        raise CalibrationError(
            "the images are bytes, and the model takes normalised numbers",
            where=str(path),
            why="pixels of 0 to 255 are not what it was trained on",
            hint="(images / 255 - mean) / std, as float32; or a folder of pictures",
        )


def _sizes(shape: tuple[int, ...] | torch.Size) -> str:
    return "x".join(map(str, shape)) or "scalar"
