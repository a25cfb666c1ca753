"""MobileViG (Munir, Avery and Marculescu, 2023): convolutions, then a graph of fixed edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import Classifier, Residual, depthwise, normed, pyramid, stem

_HOP = 2  # rows or columns between two places that an edge joins


@dataclass(frozen=True)
class MobileVigSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    features: int  # before the classifier


class RelativeMax(nn.Module):
    """Each place and the largest difference from it to a place of its row or column (SVGA).

    The places are every second one, round the border.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        largest = torch.zeros_like(x)
        for axis in (2, 3):
            for distance in range(_HOP, x.shape[axis], _HOP):
                largest = torch.maximum(largest, x - x.roll(distance, axis))
        return torch.cat([x, largest], 1)


def _inverted(width: int) -> nn.Module:
    wide = 4 * width
    body = [normed(width, wide, bias=True), nn.GELU(), depthwise(wide), nn.BatchNorm2d(wide), nn.GELU()]  # fmt: skip
    return Residual(nn.Sequential(*body, normed(wide, width, bias=True)), width)


def _graph(width: int) -> nn.Module:
    mixed = [normed(2 * width, 2 * width, bias=True), nn.GELU(), normed(2 * width, width, bias=True)]  # fmt: skip
    graph = nn.Sequential(normed(width, width, bias=True), RelativeMax(), *mixed)
    wide = [normed(width, 4 * width, bias=True), nn.GELU(), normed(4 * width, width, bias=True)]
    return nn.Sequential(Residual(graph), Residual(nn.Sequential(*wide)))


def mobilevig(sizes: MobileVigSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        last = i == len(sizes.depths) - 1
        first = normed(sizes.widths[i - 1], width, 3, 2, bias=True) if i else stem(width, nn.GELU)
        stages.append([first, *((_graph if last else _inverted)(width) for _ in range(depth))])
    features = [nn.AdaptiveAvgPool2d(1), normed(sizes.widths[-1], sizes.features, bias=True), nn.GELU()]  # fmt: skip
    return pyramid(stages, *features, Classifier(sizes.features, classes, distilled=True))


MOBILEVIG = {
    "ti": MobileVigSizes((2, 2, 6, 2), (42, 84, 168, 256), 512),
    "s": MobileVigSizes((3, 3, 9, 3), (42, 84, 176, 256), 512),
    "m": MobileVigSizes((3, 3, 9, 3), (42, 84, 224, 400), 768),
    "b": MobileVigSizes((5, 5, 15, 5), (42, 84, 240, 464), 768),
}
