"""Pixel input: a model takes 8-bit pixels instead of normalised tensors, with preprocessing in the
graph.

y = model((pixels / 255 - mean) / std)   ->   y = model(pixels * scale + offset)
"""

from __future__ import annotations

from dataclasses import replace

import torch

from edgevit.errors import UsageError
from edgevit.frontend.source import ModelSource, Preprocess


class FromPixels(torch.nn.Module):
    """Model behind one scale and one offset a channel, computed in float64 and rounded once.

    If all channels are alike, one pair serves all.
    """

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, model: torch.nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.model = model
        pairs = list(zip(preprocess.mean, preprocess.std, strict=True))
        alike = pairs[:1] if len(set(pairs)) == 1 else pairs
        mean, std = torch.tensor(alike, dtype=torch.float64).unbind(1)
        self.register_buffer("scale", (1 / (255 * std)).float().view(1, -1, 1, 1))
        self.register_buffer("offset", (-mean / std).float().view(1, -1, 1, 1))

    def forward(self, pixels: torch.Tensor) -> object:
        return self.model(pixels * self.scale + self.offset)


def can_take_pixels(source: ModelSource) -> bool:
    return source.preprocess is not None and _takes_one_picture(source)


def _takes_one_picture(source: ModelSource) -> bool:
    return len(source.inputs) == 1 and source.inputs[0].ndim == 4 and source.inputs[0].shape[1] == 3


def takes_pixels(source: ModelSource) -> ModelSource:
    """Return the model with preprocessing in front, and integer pixels as its example input."""
    if not _takes_one_picture(source):
        shapes = ", ".join("x".join(map(str, x.shape)) for x in source.inputs)
        raise UsageError(
            "--image-input needs one RGB image, Nx3xHxW", why=f"the model takes {shapes}"
        )
    if source.preprocess is None:
        raise UsageError(
            "--image-input needs to know the model's preprocessing",
            why="neither the model nor the command line says what mean and std it was trained with",
            hint="--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, if those are the ones",
        )
    module = FromPixels(source.module, source.preprocess)
    mean = torch.tensor(source.preprocess.mean).view(1, -1, 1, 1)
    std = torch.tensor(source.preprocess.std).view(1, -1, 1, 1)
    pixels = ((source.inputs[0] * std + mean) * 255).round().clamp(0, 255)
    return replace(source, module=module, inputs=(pixels,), exported=None, takes_pixels=True)
