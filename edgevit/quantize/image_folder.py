"""Calibration inputs from a folder of pictures, through the model's own preprocessing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgevit.errors import CalibrationError, MissingToolError
from edgevit.frontend import Preprocess
from edgevit.graph.program import Program
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.calibration import (
    Calibration,
    Intake,
    from_arrays,
    generated,
    read_numbers,
)
from edgevit.support.file_limits import why_no_file

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_MOST = 64  # more change the ranges little
# Formats that Pillow may try, independent of the suffix: it would pass EPS to Ghostscript, among others.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_MOST_PIXELS = 64_000_000  # in the file, and after it is resized
_EIGHT_BITS = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})  # fmt: skip
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def calibration(
    path: str | Path | None, program: Program, intake: Intake | None = None, seed: int = 0
) -> Calibration:
    """Build a calibration from a folder, from an .npy or .npz, or generate one where there is no
    path.
    """
    if path is None:
        return generated(program, intake, seed=seed)
    path = Path(path)
    if path.is_dir():
        return from_folder(path, program, intake or Intake())
    return from_arrays(_array_file(path), program, intake)


def check_readable(path: str | Path) -> None:
    """Refuse a path that no model can be calibrated on.

    The check comes first, as a model takes far longer to build.
    """
    path = Path(path)
    if path.is_dir():
        for file in _pictures(path):
            _opened(file, "RGB")
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


def _pictures(path: Path) -> list[Path]:
    """List the pictures of a folder and of those below it, sorted by name, up to a maximum."""
    files = sorted(file for file in _below(path) if file.suffix.lower() in SUFFIXES)[:_MOST]
    if not files:
        raise CalibrationError(
            "there are no pictures in the folder",
            where=str(path),
            why="none of its files ends in " + ", ".join(sorted(SUFFIXES)),
            hint="a folder of photographs like those the model will see",
        )
    return files


def from_folder(path: Path, program: Program, intake: Intake) -> Calibration:
    files = _pictures(path)
    if len(program.inputs) != 1 or program.inputs[0].dim() != 4:
        raise CalibrationError(
            "the model takes no picture",
            where=str(path),
            why="its input is not one image: "
            + ", ".join("x".join(map(str, x.shape)) for x in program.inputs),
            hint="calibrate on an .npz",
        )
    if intake.preprocess is None:
        raise CalibrationError(
            "it is not known how pictures become the model's input",
            where=str(path),
            why="neither the model nor the command line says what mean and std it was trained with",
            hint="--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, if those are the ones",
        )
    sizes = intake.picture_shape(program.inputs[0].shape)
    runs = tuple((_read(file, sizes, intake, intake.preprocess),) for file in files)
    return Calibration(runs, str(path), tuple(map(str, files))).check(program)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, without following links to folders."""
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue  # a folder that is not ours to read
        pending += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (Path(e) for e in entries if not e.is_dir(follow_symlinks=False))


def _read(file: Path, sizes: tuple[int, ...], intake: Intake, how: Preprocess) -> torch.Tensor:
    _, channels, height, width = sizes
    if channels not in _CHANNELS:
        raise _unusable(file, f"the model takes {channels} channels, and a picture has 1, 3 or 4")
    image = _opened(file, _CHANNELS[channels])
    resized = _resized(image, height, width, how, file)
    pixels = from_numpy(np.array(resized, np.float32).reshape(height, width, channels))
    if how.channel_order == "bgr":
        pixels = pixels.flip(-1)
    pixels = pixels.permute(2, 0, 1)[None]
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (how.mean, how.std))
    return intake.tensor((pixels / 255 - mean) / std)


def _opened(file: Path, mode: str) -> Any:
    """Decode a picture, with 8 bits for each channel.

    The format is recognised from the content, and only supported formats are tried.
    """
    library = _pillow()
    if why := why_no_file(file):
        raise _unusable(file, why)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", library.DecompressionBombWarning)
            with library.open(file, formats=_FORMATS) as image:
                _require_plain(image, file)
                return image.convert(mode)
    except CalibrationError:
        raise
    except library.UnidentifiedImageError as error:
        raise _unusable(file, "it is none of " + ", ".join(_FORMATS)) from error
    except Exception as error:  # decoders have no common exception
        raise _unusable(file, f"{type(error).__name__}: {error}"[:400]) from error


def _require_plain(image: Any, file: Path) -> None:
    if image.width * image.height > _MOST_PIXELS:
        why = f"it declares {image.width} x {image.height} pixels, {_MOST_PIXELS:,} are the most"
        raise _unusable(file, why)
    if image.mode not in _EIGHT_BITS:  # Pillow clips them at 255
        raise _unusable(file, f"its pixels are of more than 8 bits (mode {image.mode})")


def _unusable(file: Path, why: str) -> CalibrationError:
    return CalibrationError(
        f"{file.name} cannot be read",
        where=str(file),
        why=why,
        hint="leave it out, or save it again as a PNG or JPEG of 8 bits",
    )


def _resized(image: Any, height: int, width: int, how: Preprocess, file: Path) -> Any:
    """Resize and crop to the central `crop_pct` of the shorter side, as the model sees it."""
    library = _pillow()
    scale = max(height / image.height, width / image.width) / how.crop_pct
    size = (max(round(image.width * scale), width), max(round(image.height * scale), height))
    if size[0] * size[1] > _MOST_PIXELS:
        raise _unusable(file, f"{image.width} x {image.height} pixels are too narrow to be cropped")
    kinds = library.Resampling
    kind = {"bilinear": kinds.BILINEAR, "nearest": kinds.NEAREST, "lanczos": kinds.LANCZOS}
    resized = image.resize(size, kind.get(how.interpolation, kinds.BICUBIC))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return resized.crop((left, top, left + width, top + height))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingToolError(
            "Pillow is not installed",
            why="it reads the pictures that are calibrated on",
            hint="pip install pillow, or calibrate on an .npy",
        ) from error
    return Image
