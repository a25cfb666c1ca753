"""VAN (Guo et al., 2022): an image times a large kernel of it, taken apart in three."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import (  # fmt: skip
    ChannelNorm,
    Classifier,
    Residual,
    conv,
    depthwise,
    normed,
    pyramid,
)


@dataclass(frozen=True)
class VanSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    ratios: tuple[int, ...] = (8, 8, 4, 4)


class LargeKernel(nn.Module):
    """x times a 21 x 21 kernel's answer: 5 x 5, 7 x 7 of every third place, and across channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernel = nn.Sequential(
            depthwise(width, 5), depthwise(width, 7, dilation=3), conv(width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.kernel(x)


def _block(width: int, ratio: int) -> nn.Module:
    attention = [conv(width, width), nn.GELU(), LargeKernel(width), conv(width, width)]
    wide = [conv(width, ratio * width), depthwise(ratio * width), nn.GELU(), conv(ratio * width, width)]  # fmt: skip
    norms = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
    return nn.Sequential(
        Residual(nn.Sequential(norms[0], Residual(nn.Sequential(*attention))), width, 1e-2),
        Residual(nn.Sequential(norms[1], *wide), width, 1e-2),
    )


def van(sizes: VanSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        first = normed(sizes.widths[i - 1], width, 3, 2, bias=True) if i else normed(3, width, 7, 4, bias=True)  # fmt: skip
        blocks = [_block(width, sizes.ratios[i]) for _ in range(depth)]
        stages.append([first, *blocks, ChannelNorm(width)])
    return pyramid(stages, Classifier(sizes.widths[-1], classes))


VAN = {
    "b0": VanSizes((3, 3, 5, 2), (32, 64, 160, 256)),
    "b1": VanSizes((2, 2, 4, 2), (64, 128, 320, 512)),
    "b2": VanSizes((3, 3, 12, 3), (64, 128, 320, 512)),
    "b3": VanSizes((3, 5, 27, 3), (64, 128, 320, 512)),
}
