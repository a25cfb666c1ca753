"""Facts about an artifact that the templates of all languages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from edgevit.backends.port_facts import PortFacts
from edgevit.support.quoting import comment, word

BYTES = {"float32": 4, "float64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "bool": 1, "float16": 2}  # fmt: skip
C_TYPES = {"float32": "float", "float64": "double", "int8": "int8_t", "int16": "int16_t",
           "int32": "int32_t", "int64": "int64_t", "uint8": "uint8_t"}  # fmt: skip
JVM_ARRAYS = {"float32": "float", "int32": "int", "int64": "long", "uint8": "byte", "int8": "byte"}


@dataclass(frozen=True)
class Prepare:
    """Preprocessing: channel `c` is `pixel[source[c]] * scale[c] + offset[c]`, RGB pixels 0-255."""

    height: int
    width: int
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    source: tuple[int, ...]
    channels_last: bool
    resize: str
    border: int | None = None  # grey round a picture that is not cropped


@dataclass(frozen=True)
class Facts:
    name: str
    format: str
    file: str
    inputs: tuple[PortFacts, ...]
    outputs: tuple[PortFacts, ...]
    prepare: Prepare | None
    is_picture: bool  # Core ML takes a CVPixelBuffer
    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], folder: Path) -> Facts:
        ports = {
            kind: tuple(PortFacts.of_dict(dict(entry)) for entry in manifest["ports"][kind])
            for kind in ("inputs", "outputs")
        }
        return cls(
            str(manifest["model"]["name"]),
            str(manifest["format"]),
            str(manifest["artifact"]),
            ports["inputs"],
            ports["outputs"],
            _prepare(manifest),
            bool(manifest.get("image_input")),
            folder,
            manifest,
        )

    def marks(self) -> dict[str, str]:
        return {
            "NAME": word(self.name),
            "FILE": word(self.file),
            "STEM": word(Path(self.file).stem),
            "FORMAT": self.format,
            "FACTS": "\n".join(f"// {line}" for line in self.lines()),
        }

    def lines(self) -> list[str]:
        """Return comment lines: inputs, outputs and image preprocessing."""
        rows = [f"In:  {shown(port)}" for port in self.inputs]
        rows += [f"Out: {shown(port)}" for port in self.outputs]
        picture = f"A picture: {self.prepare.resize}; then prepare()" if self.prepare else ""
        return [*rows, comment(picture)] if picture else rows


def shown(port: PortFacts) -> str:
    sizes = "x".join(map(str, port.shape)) or "scalar"
    quantised = f", real = (value - {port.zero}) * {port.scale:.9g}" if port.scale else ""
    return f"`{comment(port.name)}` {port.dtype} {sizes}{quantised}"


def count(port: PortFacts) -> int:
    return prod(port.shape)


def numbers(values: Sequence[float | int], form: str = ".9g") -> str:
    """Format numbers with a decimal point, so that `1` is floating-point in every language."""
    texts = [format(value, form) for value in values]
    return ", ".join(text if any(c in text for c in ".en") else f"{text}.0" for text in texts)


def _prepare(manifest: Mapping[str, Any]) -> Prepare | None:
    model, (first, *others) = manifest["model"], manifest["model"]["inputs"]
    how, shape = model["preprocess"], first["shape"]
    last = bool(model["options"].get("channels_last"))
    if how is None or others or len(shape) != 4 or shape[0] != 1 or shape[3 if last else 1] != 3:
        return None
    height, width = shape[1:3] if last else shape[2:]
    pixels = bool(model["options"].get("image_input"))
    scale = (1.0,) * 3 if pixels else tuple(1 / (255 * deviation) for deviation in how["std"])
    offset = (0.0,) * 3 if pixels else tuple(-m / s for m, s in zip(how["mean"], how["std"], strict=True))  # fmt: skip
    flips = how.get("channel_order", "rgb") == "bgr"
    source = (2, 1, 0) if flips else (0, 1, 2)
    resize = _resize(how, height, width)
    return Prepare(height, width, scale, offset, source, last, resize, how.get("border"))


def _resize(how: Mapping[str, Any], height: int, width: int) -> str:
    if how.get("border") is not None:
        return (
            f"RGB, resized ({how['interpolation']}) to fit within {height}x{width}, in the middle of it, "
            f"the rest being {how['border']}"
        )
    resized = [round(extent / how["crop_pct"]) for extent in (height, width)]
    return (
        f"RGB, resized ({how['interpolation']}) to {resized[0]}x{resized[1]}, "
        f"the middle {height}x{width} of it"
    )
