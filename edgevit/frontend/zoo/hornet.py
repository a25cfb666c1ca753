"""HorNet (Rao et al., 2022): gated convolutions whose products go to a higher order each stage."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import ChannelNorm, Classifier, Residual, conv, depthwise, pyramid


@dataclass(frozen=True)
class HorNetSizes:
    width: int
    depths: tuple[int, ...] = (2, 3, 18, 2)
    orders: tuple[int, ...] = (2, 3, 4, 5)


class RecursiveGate(nn.Module):
    """Parts of the channels, each twice as wide as the one before, multiplied one after another."""

    def __init__(self, width: int, order: int) -> None:
        super().__init__()
        self.widths = [width // 2**i for i in reversed(range(order))]
        self.enter, self.leave = conv(width, 2 * width), conv(width, width)
        self.local = depthwise(sum(self.widths), 7)
        pairs = zip(self.widths, self.widths[1:], strict=False)
        self.grow = nn.ModuleList([conv(narrow, wide) for narrow, wide in pairs])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, rest = self.enter(x).split([self.widths[0], sum(self.widths)], 1)
        parts = (self.local(rest) / 3).split(self.widths, 1)
        x = gate * parts[0]
        for grow, part in zip(self.grow, parts[1:], strict=True):
            x = grow(x) * part
        return self.leave(x)


def _block(width: int, order: int) -> nn.Module:
    wide = [ChannelNorm(width), conv(width, 4 * width), nn.GELU(), conv(4 * width, width)]
    return nn.Sequential(
        Residual(nn.Sequential(ChannelNorm(width), RecursiveGate(width, order)), width, 1e-6),
        Residual(nn.Sequential(*wide), width, 1e-6),
    )


def hornet(sizes: HorNetSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, order) in enumerate(zip(sizes.depths, sizes.orders, strict=True)):
        width = sizes.width * 2**i
        shrink = [ChannelNorm(width // 2), conv(width // 2, width, 2, 2)] if i else [conv(3, width, 4, 4), ChannelNorm(width)]  # fmt: skip
        stages.append([*shrink, *(_block(width, order) for _ in range(depth))])
    last = sizes.width * 8
    return pyramid(stages, nn.AdaptiveAvgPool2d(1), ChannelNorm(last), Classifier(last, classes))


HORNET = {"t": HorNetSizes(64), "s": HorNetSizes(96), "b": HorNetSizes(128)}
