"""CAS-ViT (Zhang et al., 2024): queries and keys are gated and added, no map of them is made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import Classifier, Residual, conv, depthwise, normed, pyramid, stem


@dataclass(frozen=True)
class CasVitSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]


class Gated(nn.Module):
    """Each place times one number, then each channel times one number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        local = [depthwise(width), nn.BatchNorm2d(width), nn.ReLU()]
        self.places = nn.Sequential(*local, conv(width, 1, bias=False), nn.Sigmoid())
        self.channels = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), conv(width, width, bias=False), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.places(x)
        return x * self.channels(x)


class AdditiveAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = conv(width, 3 * width, bias=False)
        self.query, self.key = Gated(width), Gated(width)
        self.mix, self.out = depthwise(width), depthwise(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, 1)
        return self.out(self.mix(self.query(q) + self.key(k)) * v)


def _block(width: int) -> nn.Module:
    local = [normed(width, width, bias=True), depthwise(width), nn.GELU(), conv(width, width)]
    wide = [nn.BatchNorm2d(width), conv(width, 4 * width), nn.GELU(), conv(4 * width, width)]
    return nn.Sequential(
        Residual(nn.Sequential(*local)),
        Residual(nn.Sequential(nn.BatchNorm2d(width), AdditiveAttention(width))),
        Residual(nn.Sequential(*wide)),
    )


def casvit(sizes: CasVitSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        first = normed(sizes.widths[i - 1], width, 3, 2, bias=True) if i else stem(width, nn.ReLU)
        stages.append([first, *(_block(width) for _ in range(depth))])
    last = sizes.widths[-1]
    return pyramid(stages, nn.BatchNorm2d(last), Classifier(last, classes, distilled=True))


CASVIT = {
    "xs": CasVitSizes((2, 2, 4, 2), (48, 56, 112, 220)),
    "s": CasVitSizes((3, 3, 6, 3), (48, 64, 128, 256)),
    "m": CasVitSizes((3, 3, 6, 3), (64, 96, 192, 384)),
    "t": CasVitSizes((3, 3, 6, 3), (96, 128, 256, 512)),
}
