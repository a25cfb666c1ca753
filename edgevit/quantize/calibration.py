"""Calibration inputs: generated, from a folder of pictures, or arrays from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from edgevit.errors import CalibrationError
from edgevit.frontend import NoArraysError, Preprocess, random_images, read_arrays
from edgevit.graph.other_inputs import moved
from edgevit.graph.program import Inputs, Program
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.encoding import why_no_pixels
from edgevit.quantize.options import MOST_GENERATED

_SEED = 2_000_003  # pictures other than the example inputs, and than those that warm batch norms


@dataclass(frozen=True)
class ImageInput:
    """Conversion of a picture to a program input.

    It is normalised, or 0-255 `pixels`; N x C x H x W, or `channels_last`.
    """

    preprocess: Preprocess | None = None
    pixels: bool = False
    channels_last: bool = False
    kept: int = 0  # inputs behind the others that no file has: states

    def tensor(self, normalised: torch.Tensor) -> torch.Tensor:
        """Convert a normalised N x C x H x W tensor."""
        if self.pixels:
            assert self.preprocess is not None
            mean, std = (
                torch.tensor(numbers).view(1, -1, 1, 1)
                for numbers in (self.preprocess.mean, self.preprocess.std)
            )
            normalised = ((normalised * std + mean) * 255).round().clamp(0, 255)
        return normalised.permute(0, 2, 3, 1).contiguous() if self.channels_last else normalised

    def picture_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the N x C x H x W shape of a program input."""
        if self.channels_last and len(shape) == 4:
            return shape[0], shape[3], shape[1], shape[2]
        return tuple(shape)


@dataclass(frozen=True)
class Calibration:
    """One tuple of program inputs for each run. `source` is for reports."""

    inputs: tuple[Inputs, ...]
    source: str
    names: tuple[str, ...] = ()  # where each run comes from, for errors
    notes: tuple[str, ...] = ()  # warnings: what makes the ranges poor

    def check(self, program: Program) -> Calibration:
        """Return itself; raise `CalibrationError` unless the program accepts each input."""
        if not self.inputs:
            raise CalibrationError(
                "there is nothing to calibrate on",
                where=self.source,
                why="there is no image in it",
                hint="a few dozen images, along the first axis of an array",
            )
        for index, run in enumerate(self.inputs):
            where = self.names[index] if self.names else f"{self.source}, run {index}"
            if len(run) != len(program.inputs):
                raise CalibrationError(
                    f"the program takes {len(program.inputs)} inputs, not {len(run)}",
                    where=where,
                    why="each run needs " + " and ".join(program.input_names),
                    hint="an .npz with one array for each",
                )
            for name, example, x in zip(program.input_names, program.inputs, run, strict=True):
                _check_one(name, example, x, where)
            if not all(x.is_floating_point() for x in run):
                _check_run(program, run, where)
        return self


def _check_one(name: str, example: torch.Tensor, x: torch.Tensor, where: str) -> None:
    if x.shape != example.shape:
        raise CalibrationError(
            f"`{name}` is of shape {_sizes(example)}, not {_sizes(x)}",
            where=where,
            why="the net is quantised for one shape",
            hint="give images of the model's input size, or export with --input-size",
        )
    if x.dtype != example.dtype:
        raise CalibrationError(
            f"`{name}` is of {_type(example)}, not {_type(x)}",
            where=where,
            why="the model looks values up by it, or compares them",
            hint="give whole numbers, of the kind that the model sees in use",
        )
    if not bool(torch.isfinite(x).all()):
        kind = "NaN" if bool(x.isnan().any()) else "infinite values"
        raise CalibrationError(
            f"`{name}` has {kind}",
            where=where,
            why="a range that holds them is none",
            hint="leave it out",
        )


def _check_run(program: Program, run: Inputs, where: str) -> None:
    """Refuse whole numbers that the model fails on, such as a word behind the last of its table."""
    try:
        program.run(run)
    except (IndexError, RuntimeError) as error:
        raise CalibrationError(
            "the model does not run on this input",
            where=where,
            why=str(error).strip().partition("\n")[0],
            hint="give whole numbers that the model takes",
        ) from error


def _type(x: torch.Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _sizes(x: torch.Tensor) -> str:
    return "x".join(map(str, x.shape))


def generated(
    program: Program,
    image_input: ImageInput | None = None,
    count: int = MOST_GENERATED,
    seed: int = 0,
) -> Calibration:
    """Generate seeded pictures with the spectrum of photographs.

    Inputs that are no pictures get normal noise. Whole numbers are the example's own in another place, as no
    others are known to be an input of the model; masks are the example's.
    """
    image_input = image_input or ImageInput()
    runs: list[Inputs] = []
    for run in range(count):
        tensors: list[torch.Tensor] = []
        for index, example in enumerate(program.inputs):
            if not example.is_floating_point():
                tensors.append(moved(example, run))
                continue
            own = replace(image_input, pixels=image_input.pixels and index == 0)  # the picture
            images = random_images(
                own.picture_shape(example.shape), seed + _SEED + 1000 * index + run
            )
            tensors.append(own.tensor(images) if example.dim() == 4 else images)
        runs.append(tuple(tensors))
    return Calibration(tuple(runs), f"{count} generated inputs").check(program)


def from_arrays(
    path: Path, program: Program, image_input: ImageInput | None = None, count: int | None = None
) -> Calibration:
    """Load a .npy with images along its first axis, or a .npz with such an array per input, by
    name. `count`: load no more, at equal distances.
    """
    arrays = _loaded(path, program)
    counts = {len(array) for array in arrays}
    if len(counts) > 1:
        raise CalibrationError(
            "the arrays are not of one length",
            where=str(path),
            why="they have " + " and ".join(map(str, sorted(counts))) + " rows",
            hint="one row of each array for one run of the model",
        )
    rows = counts.pop()
    drawn = min(rows, count or rows)
    places = [index * rows // drawn for index in range(drawn)]
    runs = tuple(
        tuple(_row(array[place], x) for array, x in zip(arrays, program.inputs, strict=True))
        for place in places
    )
    names = tuple(f"{path}, image {place}" for place in places)
    calibration = Calibration(runs, str(path), names).check(program)
    if image_input and image_input.pixels:
        _require_pixels(runs, names)
    return calibration


def _row(row: np.ndarray, example: torch.Tensor) -> torch.Tensor:
    """Convert one row of an array to an input, in a batch of one unless it has the input's own batch."""
    real = example.is_floating_point() or bool((row != row.round()).any())
    x = from_numpy(row.astype(np.float32 if real else np.int64))
    if not real:
        x = x.to(example.dtype)
    return x if x.shape == example.shape else x[None]


def _require_pixels(runs: Sequence[Inputs], names: Sequence[str]) -> None:
    for run, name in zip(runs, names, strict=True):
        if why := why_no_pixels(run[0].numpy()):
            raise CalibrationError(
                "the model takes pixels of 0 to 255, and these are none",
                where=name,
                why=why,
                hint="give pixels; or --no-image-input, if they are what the model was trained on",
            )


def _loaded(path: Path, program: Program) -> list[np.ndarray]:
    """Load the arrays in the order of the program's inputs."""
    arrays = read_numbers(path)
    if len(program.inputs) == 1 and len(arrays) == 1:
        return list(arrays.values())
    if len(program.inputs) == 1 and (images := arrays.keys() & {"images", "x"}):
        return [arrays[min(images)]]  # a data set with labels
    missing = [name for name in program.input_names if name not in arrays]
    if missing:
        raise CalibrationError(
            "there is no array for " + ", ".join(f"`{name}`" for name in missing),
            where=str(path),
            why="it has " + (", ".join(arrays) or "none"),
            hint="np.savez(path, " + ", ".join(f"{n}=..." for n in program.input_names) + ")",
        )
    return [arrays[name] for name in program.input_names]


def read_numbers(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npy or .npz by name, each with images along its first axis."""
    try:
        arrays = read_arrays(path)
    except NoArraysError as reason:
        raise CalibrationError(
            f"{path.name} cannot be read",
            where=str(path),
            why=str(reason),
            hint="write it with np.save or np.savez, as numbers",
        ) from reason
    for array in arrays.values():
        if array.dtype.kind not in "fiub" or array.ndim < 1:
            raise CalibrationError(
                "it holds no numbers",
                where=str(path),
                why=f"{array.dtype} {array.shape}",
                hint="give float32 or uint8, images along the first axis",
            )
    return arrays
