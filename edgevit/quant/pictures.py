"""A folder of pictures as calibration inputs, through the model's own preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgevit.errors import CalibrationError, ToolMissing
from edgevit.frontend.source import Preprocess
from edgevit.graph.program import Program
from edgevit.quant.calibration import Calibration, Intake, from_arrays, generated

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_MOST = 64  # more change the ranges little


def calibration(
    path: str | Path | None, program: Program, intake: Intake | None = None, seed: int = 0
) -> Calibration:
    """Of a folder, of an .npy or .npz, or generated where there is no path."""
    if path is None:
        return generated(program, intake, seed=seed)
    path = Path(path)
    if path.is_dir():
        return from_folder(path, program, intake or Intake())
    if path.suffix in {".npy", ".npz"}:
        return from_arrays(path, program, intake)
    raise CalibrationError(
        f"cannot calibrate on {path.name}",
        where=str(path),
        why="there is no such file" if not path.exists() else "it is no folder, .npy or .npz",
        hint="a folder of pictures, or an .npy or .npz of what the model takes",
    )


def from_folder(path: Path, program: Program, intake: Intake) -> Calibration:
    """Pictures by name, the first of many; those in folders below too."""
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)[:_MOST]
    if not files:
        raise CalibrationError(
            "there are no pictures in the folder",
            where=str(path),
            why="none of its files ends in " + ", ".join(sorted(SUFFIXES)),
        )
    if len(program.inputs) != 1 or program.inputs[0].dim() != 4:
        raise CalibrationError(
            "the model takes no picture", where=str(path), hint="calibrate on an .npz"
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


def _read(file: Path, sizes: tuple[int, ...], intake: Intake, how: Preprocess) -> torch.Tensor:
    _, channels, height, width = sizes
    image = _opened(file, channels)
    resized = _resized(image, height, width, how)
    pixels = torch.from_numpy(np.array(resized, np.float32).reshape(height, width, channels))
    if how.channel_order == "bgr":
        pixels = pixels.flip(-1)
    pixels = pixels.permute(2, 0, 1)[None]
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (how.mean, how.std))
    return intake.tensor((pixels / 255 - mean) / std)


def _opened(file: Path, channels: int) -> Any:
    library = _pillow()
    try:
        with library.open(file) as image:
            return image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    except (OSError, ValueError, SyntaxError) as error:
        raise CalibrationError(
            f"{file.name} cannot be read", where=str(file), why=str(error)
        ) from error
    except KeyError:
        raise CalibrationError(f"a picture has no {channels} channels", where=str(file)) from None


def _resized(image: Any, height: int, width: int, how: Preprocess) -> Any:
    """So that the middle `crop_pct` of the shorter side is what the model sees."""
    library = _pillow()
    scale = max(height / image.height, width / image.width) / how.crop_pct
    size = (max(round(image.width * scale), width), max(round(image.height * scale), height))
    kinds = library.Resampling
    kind = {"bilinear": kinds.BILINEAR, "nearest": kinds.NEAREST, "lanczos": kinds.LANCZOS}
    resized = image.resize(size, kind.get(how.interpolation, kinds.BICUBIC))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return resized.crop((left, top, left + width, top + height))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolMissing(
            "Pillow is not installed",
            why="it reads the pictures that are calibrated on",
            hint="pip install pillow, or calibrate on an .npy",
        ) from error
    return Image
