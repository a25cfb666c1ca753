"""MOAT (Yang et al., 2023): an inverted bottleneck in the place of a transformer's MLP, and first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import ChannelNorm, Classifier, Residual, conv, normed, pyramid

_HEAD = 32
_MOAT = 2  # the first stage with attention


@dataclass(frozen=True)
class MoatSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    stem: int


class Bottleneck(nn.Module):
    """MBConv with its norm first; the shortcut is averaged and widened where the body is."""

    def __init__(self, inputs: int, width: int, stride: int, squeezed: int) -> None:
        super().__init__()
        wide = 4 * width
        body = [nn.BatchNorm2d(inputs), normed(inputs, wide), nn.GELU()]
        body += [normed(wide, wide, 3, stride, wide), nn.GELU()]
        gate = [_Gate(wide, squeezed)] if squeezed else []
        self.body = nn.Sequential(*body, *gate, conv(wide, width))
        pool = nn.AvgPool2d(2, 2) if stride > 1 else nn.Identity()
        widen = conv(inputs, width) if inputs != width else nn.Identity()
        self.shortcut = nn.Sequential(pool, widen)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


class _Gate(nn.Module):
    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.reduce, self.expand = conv(width, squeezed), conv(squeezed, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = functional.silu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * self.expand(means).sigmoid()


class BiasedAttention(nn.Module):
    """Attention among all places, with a bias for each way from one to another."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.heads = width // _HEAD
        self.qkv, self.out = conv(width, 3 * width), conv(width, width)
        self.bias = nn.Parameter(torch.zeros(self.heads, (2 * size - 1) ** 2))
        self.register_buffer("ways", _ways(size), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (x.shape[0], self.heads, _HEAD, -1)
        q, k, v = (part.reshape(shape).transpose(2, 3) for part in self.qkv(x).chunk(3, 1))
        bias = self.bias[:, self.get_buffer("ways")]
        mixed = functional.scaled_dot_product_attention(q, k, v, bias)
        return self.out(mixed.transpose(2, 3).reshape(x.shape))


def _ways(size: int) -> torch.Tensor:
    """Return, for each two places of a square, the number of the way from one to the other."""
    rows, columns = torch.arange(size * size) // size, torch.arange(size * size) % size
    down, across = (axis[:, None] - axis[None] + size - 1 for axis in (rows, columns))
    return down * (2 * size - 1) + across


def _block(sizes: MoatSizes, stage: int, number: int, size: int) -> nn.Module:
    width = sizes.widths[stage]
    before = (sizes.widths[stage - 1] if stage else sizes.stem) if number == 0 else width
    attends = stage >= _MOAT
    bottleneck = Bottleneck(before, width, 1 if number else 2, 0 if attends else width // 4)
    if not attends:
        return bottleneck
    attention = nn.Sequential(ChannelNorm(width, 1e-5), BiasedAttention(width, size))
    return nn.Sequential(bottleneck, Residual(attention))


def moat(sizes: MoatSizes, image: int, classes: int) -> nn.Module:
    first = [normed(3, sizes.stem, 3, 2), nn.GELU(), conv(sizes.stem, sizes.stem, 3)]
    stages: list[list[nn.Module]] = [[*first]]
    size = -(-image // 2)
    for i, depth in enumerate(sizes.depths):
        size = -(-size // 2)
        stages.append([_block(sizes, i, n, size) for n in range(depth)])
    last = sizes.widths[-1]
    return pyramid(stages, nn.AdaptiveAvgPool2d(1), ChannelNorm(last), Classifier(last, classes))


MOAT = {
    "tiny0": MoatSizes((2, 3, 7, 2), (32, 64, 128, 256), 32),
    "tiny1": MoatSizes((2, 3, 7, 2), (40, 80, 160, 320), 40),
    "tiny2": MoatSizes((2, 3, 7, 2), (56, 112, 224, 448), 56),
    "tiny3": MoatSizes((2, 3, 7, 2), (80, 160, 320, 640), 80),
    "0": MoatSizes((2, 3, 7, 2), (96, 192, 384, 768), 64),
}
