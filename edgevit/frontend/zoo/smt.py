"""SMT (Lin et al., 2023): kernels of four sizes modulate early stages, attention the last ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import (
    ChannelNorm,
    Classifier,
    Residual,
    conv,
    depthwise,
    join,
    pyramid,
)

_KERNELS = (3, 5, 7, 9)
_HEADS = (0, 0, 8, 16)  # of each stage


@dataclass(frozen=True)
class SmtSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    ratios: tuple[int, ...] = (4, 4, 4, 2)
    first: int = 3  # size of the first kernel


class Modulation(nn.Module):
    """v times kernels of four sizes, one for a quarter of the channels, mixed one of each a group."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter = width // 4
        self.value, self.context, self.out = (conv(width, width) for _ in range(3))
        self.kernels = nn.ModuleList([depthwise(quarter, size) for size in _KERNELS])
        self.mix = nn.Sequential(
            conv(width, 2 * width, groups=quarter),
            nn.BatchNorm2d(2 * width),
            nn.GELU(),
            conv(2 * width, width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        quarters = self.context(x).chunk(4, 1)
        seen = [kernel(part) for kernel, part in zip(self.kernels, quarters, strict=True)]
        return self.out(self.mix(torch.stack(seen, 2).reshape(x.shape)) * self.value(x))


class LocalAttention(nn.Module):
    """Attention, and a depthwise convolution of its values beside it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.pair = conv(width, width), conv(width, 2 * width)
        self.local, self.out = depthwise(width), conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key, value = self.pair(x).chunk(2, 1)
        shape = (x.shape[0], self.heads, x.shape[1] // self.heads, -1)
        q, k, v = (part.reshape(shape).transpose(2, 3) for part in (self.query(x), key, value))
        mixed = join(functional.scaled_dot_product_attention(q, k, v), x)
        return self.out(mixed + self.local(value))


def _block(width: int, ratio: int, heads: int) -> nn.Module:
    mixer = LocalAttention(width, heads) if heads else Modulation(width)
    wide = ratio * width
    mlp = [conv(width, wide), Residual(depthwise(wide)), nn.GELU(), conv(wide, width)]
    return nn.Sequential(
        Residual(nn.Sequential(ChannelNorm(width), mixer)),
        Residual(nn.Sequential(ChannelNorm(width), *mlp)),
    )


def _heads(stage: int, number: int) -> int:
    """Return the heads of a block, 0 for a modulation: the third stage has both in turn."""
    return 0 if stage == 2 and number % 2 == 0 else _HEADS[stage]


def smt(sizes: SmtSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        first = [conv(3, width, sizes.first, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(), conv(width, width, 2, 2)]  # fmt: skip
        shrink = [conv(sizes.widths[i - 1], width, 3, 2)] if i else first
        blocks = [_block(width, sizes.ratios[i], _heads(i, n)) for n in range(depth)]
        stages.append([*shrink, ChannelNorm(width, 1e-5), *blocks, ChannelNorm(width)])
    return pyramid(stages, Classifier(sizes.widths[-1], classes))


SMT = {
    "t": SmtSizes((2, 2, 8, 1)),
    "s": SmtSizes((3, 4, 18, 2)),
    "b": SmtSizes((4, 6, 28, 2), ratios=(8, 6, 4, 2), first=7),
    "l": SmtSizes((4, 6, 28, 4), (96, 192, 384, 768), (8, 6, 4, 2), 7),
}
