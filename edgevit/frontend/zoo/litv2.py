"""LITv2 (Pan, Cai and Zhuang, 2022): some heads attend within windows, the others to their means."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import (  # fmt: skip
    ChannelNorm,
    Classifier,
    Residual,
    SelfAttention,
    conv,
    depthwise,
    pyramid,
)

_WINDOW = 2
_LOW = 0.9  # share of the heads that attend to means of windows


@dataclass(frozen=True)
class LitSizes:
    depths: tuple[int, ...]
    width: int
    heads: int  # of the first stage; each further one has twice as many


class HighLow(nn.Module):
    """HiLo: high frequencies within a window, low ones from every place to each window's mean."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.low = int(heads * _LOW)
        self.high = heads - self.low
        self.key = width // heads
        low, high = self.low * self.key, self.high * self.key
        self.query, self.pair, self.low_out = conv(width, low), conv(width, 2 * low), conv(low, low)
        self.qkv, self.high_out = conv(width, 3 * high), conv(high, high)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._within(x), self._to_means(x)], 1)

    def _within(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, height, breadth = x.shape
        windows = (height // _WINDOW, breadth // _WINDOW)
        grid = (batch, 3 * self.high * self.key, windows[0], _WINDOW, windows[1], _WINDOW)
        qkv = self.qkv(x).reshape(grid).permute(0, 2, 4, 1, 3, 5)
        qkv = qkv.reshape(-1, 3 * self.high, self.key, _WINDOW**2).transpose(2, 3)
        mixed = functional.scaled_dot_product_attention(*qkv.chunk(3, 1)).transpose(2, 3)
        mixed = mixed.reshape(batch, *windows, self.high * self.key, _WINDOW, _WINDOW)
        return self.high_out(mixed.permute(0, 3, 1, 4, 2, 5).reshape(batch, -1, height, breadth))

    def _to_means(self, x: torch.Tensor) -> torch.Tensor:
        means = self.pair(functional.avg_pool2d(x, _WINDOW))
        parts = (self.query(x), *means.chunk(2, 1))
        shape = (x.shape[0], self.low, self.key, -1)
        q, k, v = (part.reshape(shape).transpose(2, 3) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.low_out(mixed.transpose(2, 3).reshape(x.shape[0], -1, *x.shape[2:]))


class Deformable(nn.Module):
    """Patches of 2 x 2 places, each taken from where the patch says: sampled, then one product."""

    def __init__(self, width: int, outputs: int, size: int) -> None:
        super().__init__()
        self.offsets, self.out = conv(width, 8, 2, 2), conv(4 * width, outputs)
        rows, columns = torch.meshgrid(*[torch.arange(size // 2) * 2.0] * 2, indexing="ij")
        corners = [torch.stack([columns + i % 2, rows + i // 2], -1) for i in range(4)]
        # a grid has -1 at the first place and 1 at the last one
        self.scale = 2 / (size - 1)
        self.register_buffer("corners", torch.stack(corners) * self.scale - 1, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # an offset is rows, then columns; a grid is columns, then rows
        offsets = self.offsets(x).permute(0, 2, 3, 1) * self.scale
        sampled = []
        for i, corner in enumerate(self.get_buffer("corners").unbind(0)):
            rows, columns = offsets[..., 2 * i, None], offsets[..., 2 * i + 1, None]
            grid = corner + torch.cat([columns, rows], -1)
            sampled.append(functional.grid_sample(x, grid, align_corners=True))
        return self.out(torch.cat(sampled, 1))


def _block(width: int, heads: int, stage: int) -> nn.Module:
    wide = 4 * width
    mlp = [ChannelNorm(width, 1e-5), conv(width, wide), depthwise(wide), nn.GELU(), conv(wide, width)]  # fmt: skip
    if stage < 2:
        return Residual(nn.Sequential(*mlp))
    mixer = HighLow(width, heads) if stage == 2 else SelfAttention(width, heads)
    attention = nn.Sequential(ChannelNorm(width, 1e-5), mixer)
    return nn.Sequential(Residual(attention), Residual(nn.Sequential(*mlp)))


def litv2(sizes: LitSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    size = image // 4
    for i, depth in enumerate(sizes.depths):
        width, heads = sizes.width * 2**i, sizes.heads * 2**i
        first = [conv(3, width, 4, 4), ChannelNorm(width, 1e-5)]
        merge = [Deformable(width // 2, width, size), nn.BatchNorm2d(width), nn.GELU()]
        size = size // 2 if i else size
        blocks = [_block(width, heads, i) for _ in range(depth)]
        stages.append([*(merge if i else first), *blocks])
    last = sizes.width * 8
    return pyramid(stages, ChannelNorm(last, 1e-5), Classifier(last, classes))


LITV2 = {
    "s": LitSizes((2, 2, 6, 2), 96, 3),
    "m": LitSizes((2, 2, 18, 2), 96, 3),
    "b": LitSizes((2, 2, 18, 2), 128, 4),
}
