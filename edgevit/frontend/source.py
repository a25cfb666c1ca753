"""What `resolve` returns: a PyTorch module, ready to be captured, and what is known about its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Preprocess:
    """How 8-bit RGB pixels become the tensor the model expects: `(pixel / 255 - mean) / std`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]  # height, width of the tensor the model sees
    crop_pct: float = 1.0
    interpolation: str = "bicubic"
    channel_order: str = "rgb"  # or "bgr": how the tensor's channels are ordered

    def as_dict(self) -> dict[str, Any]:
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "size": list(self.size),
            "crop_pct": self.crop_pct,
            "interpolation": self.interpolation,
            "channel_order": self.channel_order,
            "range": [0, 255],
        }


@dataclass(frozen=True)
class ModelSource:
    """A model in eval mode and one set of example inputs that it accepts positionally."""

    spec: str
    name: str
    module: torch.nn.Module
    inputs: tuple[torch.Tensor, ...]
    input_names: tuple[str, ...]
    origin: str  # where the model came from, with its version: "timm 1.0.31", a file path
    weights: str  # "random (seed 0)", "pretrained", or the path they were read from
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = ()
    exported: torch.export.ExportedProgram | None = None  # set when the spec was a .pt2 file
    output_names: tuple[str, ...] = ()  # empty where the model does not name its outputs
    native_size: tuple[int, int] | None = None  # the input size its authors state, for hints
    takes_pixels: bool = False  # 0-255, its preprocessing being part of `module`
