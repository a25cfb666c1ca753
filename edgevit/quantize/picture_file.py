"""One picture, decoded from a file and made a model's input by its own preprocessing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgevit.errors import CalibrationError, MissingToolError
from edgevit.frontend import Preprocess
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.calibration import ImageInput
from edgevit.support.file_limits import why_no_file

# Formats that Pillow may try, independent of the suffix: it would pass EPS to Ghostscript, among others.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_MOST_PIXELS = 64_000_000  # in the file, and after it is resized
_EIGHT_BITS = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})  # fmt: skip
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def read_picture(
    file: Path, sizes: tuple[int, ...], image_input: ImageInput, how: Preprocess
) -> torch.Tensor:
    _, channels, height, width = sizes
    if channels not in _CHANNELS:
        raise _unusable(file, f"the model takes {channels} channels, and a picture has 1, 3 or 4")
    image = open_picture(file, _CHANNELS[channels])
    resized = _resized(image, height, width, how, file)
    pixels = from_numpy(np.array(resized, np.float32).reshape(height, width, channels))
    if how.channel_order == "bgr":
        pixels = pixels.flip(-1)
    pixels = pixels.permute(2, 0, 1)[None]
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (how.mean, how.std))
    return image_input.tensor((pixels / 255 - mean) / std)


def open_picture(file: Path, mode: str) -> Any:
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
    """Resize as the model sees it: cropped to the central `crop_pct` of the shorter side, or whole within a border."""
    library = _pillow()
    scales = height / image.height, width / image.width
    if how.border is None:
        scale = max(scales) / how.crop_pct
        size = (max(round(image.width * scale), width), max(round(image.height * scale), height))
    else:
        scale = min(scales)
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    if size[0] * size[1] > _MOST_PIXELS:
        raise _unusable(file, f"{image.width} x {image.height} pixels are too narrow to be cropped")
    kinds = library.Resampling
    kind = {"bilinear": kinds.BILINEAR, "nearest": kinds.NEAREST, "lanczos": kinds.LANCZOS}
    resized = image.resize(size, kind.get(how.interpolation, kinds.BICUBIC))
    if how.border is not None:
        return _bordered(library, resized, width, height, how.border)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return resized.crop((left, top, left + width, top + height))


def _bordered(library: Any, image: Any, width: int, height: int, grey: int) -> Any:
    sheet = library.new(image.mode, (width, height), (grey,) * len(image.getbands()))
    sheet.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return sheet


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingToolError(
            "Pillow is not installed",
            why="it reads pictures",
            hint="pip install pillow, or give an .npy",
        ) from error
    return Image
