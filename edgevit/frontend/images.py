"""Random pictures that exercise a vision net: seeded, and unlike each other at every scale.

Independent pixels average out: after a global pool all such images look the same to the net, and a
parity test on them says little about the deep layers. A sum of random fields from one cell up to
single pixels has the 1/f spectrum of photographs, is near zero mean and unit variance (what
normalised pixels look like), and differs between images in brightness, layout and texture.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import interpolate

from edgevit.errors import ModelError

_MOST = 1 << 26  # numbers in one input: 4096 x 4096 pixels, or 256 pictures of 224 x 224


def random_images(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Generate images of `shape` (N, C, H, W); plain normal noise for any other rank."""
    if min(shape, default=1) < 1 or math.prod(shape) > _MOST:
        raise ModelError(
            "no input of that size is made",
            where="x".join(map(str, shape)),
            why=f"it has {math.prod(shape):,} numbers; 1 to {_MOST:,} are taken",
            hint="--input-size and --batch, or correct the size that the model states",
        )
    generator = torch.Generator().manual_seed(seed)
    if len(shape) != 4:
        return torch.randn(shape, generator=generator)
    batch, channels, height, width = shape
    fields = []
    cells = 1
    while True:
        grid = (batch, channels, min(cells, height), min(cells, width))
        coarse = torch.randn(grid, generator=generator)
        fields.append(interpolate(coarse, (height, width), mode="bilinear", align_corners=False))
        if cells >= max(height, width):
            break
        cells *= 4
    images = torch.stack(fields).sum(0)
    return (images - images.mean((1, 2, 3), True)) / images.std((1, 2, 3), keepdim=True)
