"""LSNet (Wang et al., 2025): a large kernel sees, and says the small kernel of each place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import ChannelGate, Classifier, Residual, conv, normed, pyramid

_SHARED = 8  # channels that one small kernel is for
_KEY = 16


@dataclass(frozen=True)
class LsNetSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]


class LargeSmall(nn.Module):
    """A 3 x 3 kernel for each place and each set of channels, computed from 7 x 7 of its neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, self.kernels = width // 2, width // _SHARED
        seen = [normed(width, half), nn.ReLU(), normed(half, half, 7, groups=half), normed(half, half), nn.ReLU()]  # fmt: skip
        weights = [conv(half, 9 * self.kernels), nn.GroupNorm(self.kernels, 9 * self.kernels)]
        self.weights = nn.Sequential(*seen, *weights)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, height, breadth = x.shape
        places = height * breadth
        weights = self.weights(x).reshape(batch, 1, 9 * self.kernels, places)
        near = functional.unfold(x, 3, padding=1).reshape(batch, _SHARED, 9 * self.kernels, places)
        mixed = (near * weights).reshape(batch, width, 9, places).sum(2)
        return self.norm(mixed.reshape(x.shape)) + x


class DistanceAttention(nn.Module):
    """Four heads with a bias for each distance in rows and columns, as in LeViT."""

    def __init__(self, width: int, size: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.split = heads, [heads * _KEY, heads * _KEY, width]
        self.qkv = normed(width, sum(self.split))
        self.local = normed(heads * _KEY, heads * _KEY, 3, groups=heads * _KEY)
        self.out = nn.Sequential(nn.ReLU(), normed(width, width))
        self.bias = nn.Parameter(torch.zeros(heads, size * size))
        self.register_buffer("places", _distances(size), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).split(self.split, 1)
        shape = (x.shape[0], self.heads, -1, x.shape[2] * x.shape[3])
        q, k, v = self.local(q).reshape(shape), k.reshape(shape), v.reshape(shape)
        scores = q.transpose(2, 3) @ k * _KEY**-0.5 + self.bias[:, self.get_buffer("places")]
        return self.out((v @ scores.softmax(-1).transpose(2, 3)).reshape(x.shape))


def _distances(size: int) -> torch.Tensor:
    """Return, for each two places of a square, the number of their distance in rows and columns."""
    rows, columns = torch.arange(size * size) // size, torch.arange(size * size) % size
    apart = [(axis[:, None] - axis[None]).abs() for axis in (rows, columns)]
    return apart[0] * size + apart[1]


class Reparametrised(nn.Module):
    """3 x 3 and 1 x 1 depthwise branches and the input itself, added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = normed(width, width, 3, groups=width)
        self.narrow = normed(width, width, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.wide(x) + self.narrow(x) + x


def _block(width: int, number: int, size: int, last: bool) -> nn.Module:
    if number % 2 == 0:
        mixer = nn.Sequential(Reparametrised(width), ChannelGate(width, width // 4))
    else:
        mixer = Residual(DistanceAttention(width, size)) if last else LargeSmall(width)
    wide = nn.Sequential(normed(width, 2 * width), nn.ReLU(), normed(2 * width, width))
    return nn.Sequential(mixer, Residual(wide))


def lsnet(sizes: LsNetSizes, image: int, classes: int) -> nn.Module:
    first = sizes.widths[0]
    sides = [normed(3, first // 4, 3, 2), nn.ReLU(), normed(first // 4, first // 2, 3, 2), nn.ReLU()]  # fmt: skip
    stages: list[list[nn.Module]] = []
    size = -(-image // 8)
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        before = sizes.widths[i - 1]
        shrink = [normed(before, before, 3, 2, before), normed(before, width)] if i else [*sides, normed(first // 2, first, 3, 2)]  # fmt: skip
        size = -(-size // 2) if i else size
        last = i == len(sizes.depths) - 1
        stages.append([*shrink, *(_block(width, n, size, last) for n in range(depth))])
    # the norm before the classifier is linear: of the mean, or of each place
    last = sizes.widths[-1]
    return pyramid(stages, nn.BatchNorm2d(last), Classifier(last, classes))


LSNET = {
    "t": LsNetSizes((0, 2, 8, 10), (64, 128, 256, 384)),
    "s": LsNetSizes((1, 2, 8, 10), (96, 192, 320, 448)),
    "b": LsNetSizes((4, 6, 8, 10), (128, 256, 384, 512)),
}
