"""Calibration inputs from a folder of pictures, through the model's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from edgevit.errors import CalibrationError
from edgevit.frontend import Preprocess
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.calibration import (
    Calibration,
    ImageInput,
    from_arrays,
    generated,
    read_numbers,
)
from edgevit.quantize.options import COUNT, MOST_GENERATED
from edgevit.quantize.picture_file import open_picture, read_picture
from edgevit.quantize.picture_list import draw_evenly, list_pictures
from edgevit.support.file_limits import why_no_file

Progress = Callable[[str], None]


def calibration(
    path: str | Path | None,
    program: Program,
    image_input: ImageInput | None = None,
    seed: int = 0,
    count: int = COUNT,
    progress: Progress = lambda _: None,
) -> Calibration:
    """Build a calibration from a folder, from an .npy or .npz, or generate one where there is no
    path.
    """
    if path is None:
        return generated(program, image_input, min(count, MOST_GENERATED), seed)
    path = Path(path)
    if path.is_dir():
        return from_folder(path, program, image_input or ImageInput(), count, progress)
    return from_arrays(_array_file(path), program, image_input, count)


def check_readable(path: str | Path, count: int = COUNT) -> None:
    """Refuse a path that no model can be calibrated on.

    The check comes first, as a model takes far longer to build.
    """
    path = Path(path)
    if path.is_dir():
        for picture in draw_evenly(list_pictures(path), count):
            open_picture(picture.path, "RGB")
    else:
        read_numbers(_array_file(path))


def _array_file(path: Path) -> Path:
    if path.suffix in {".npy", ".npz"}:
        return path
    raise CalibrationError(
        f"cannot calibrate on {path.name or path}",
        where=str(path),
        why=why_no_file(path) or "it is no folder, .npy or .npz",
        hint="a folder of pictures, or an .npy or .npz of what the model takes",
    )


def from_folder(
    path: Path,
    program: Program,
    image_input: ImageInput,
    count: int = COUNT,
    progress: Progress = lambda _: None,
) -> Calibration:
    """Read pictures of a folder, drawn evenly over its class folders."""
    files = draw_evenly(list_pictures(path), count)
    sizes, how = picture_input(program.inputs, image_input, str(path))
    runs: list[Inputs] = []
    for index, picture in enumerate(files):
        progress(f"read pictures: {index + 1} of {len(files)}")
        runs.append((read_picture(picture.path, sizes, image_input, how),))
    names = [str(one.path) for one in files]
    return Calibration(*_batched(runs, names, sizes[0], str(path))).check(program)


def _batched(
    runs: Sequence[Inputs], names: Sequence[str], size: int, source: str
) -> tuple[tuple[Inputs, ...], str, tuple[str, ...]]:
    """Put `size` pictures into each run; what is left over is left out."""
    starts = range(0, len(runs) - size + 1, size)
    together = [
        tuple(torch.cat(column) for column in zip(*runs[at : at + size], strict=True))
        for at in starts
    ]
    return tuple(together), source, tuple(", ".join(names[at : at + size]) for at in starts)


def picture_input(
    inputs: Inputs, image_input: ImageInput, where: str
) -> tuple[tuple[int, ...], Preprocess]:
    """Return the N x C x H x W shape that pictures are made, and how.

    Raises `CalibrationError` for a model that takes no picture, or does not say how.
    """
    if len(inputs) != 1 or inputs[0].dim() != 4:
        raise CalibrationError(
            "the model takes no picture",
            where=where,
            why="its input is not one image: "
            + ", ".join("x".join(map(str, x.shape)) for x in inputs),
            hint="give an .npz of what it takes",
        )
    if image_input.preprocess is None:
        raise CalibrationError(
            "it is not known how pictures become the model's input",
            where=where,
            why="neither the model nor the command line says what mean and std it was trained with",
            hint="export with --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, if those are the ones",
        )
    return image_input.picture_shape(inputs[0].shape), image_input.preprocess
