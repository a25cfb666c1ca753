"""A plain vision transformer with the knobs of MCUFormer's search space (Liang et al., 2023).

The knobs: patch size, width, depth, heads, and the rank that linears are factored to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class VitSizes:
    image: int = 64
    patch: int = 8
    width: int = 96
    heads: int = 3
    layers: int = 6
    ratio: int = 4  # of the hidden layer to the width
    rank: int = 0  # 0: linears are whole
    classes: int = 10

    @property
    def tokens(self) -> int:
        return (self.image // self.patch) ** 2


def linear(inputs: int, outputs: int, rank: int) -> nn.Module:
    """Build a linear, or two of lower rank where they take fewer products."""
    if not rank or rank * (inputs + outputs) >= inputs * outputs:
        return nn.Linear(inputs, outputs)
    return nn.Sequential(nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs))


class VitAttention(nn.Module):
    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv = linear(sizes.width, 3 * sizes.width, sizes.rank)
        self.out = linear(sizes.width, sizes.width, sizes.rank)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        packed = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class VitBlock(nn.Module):
    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        hidden = sizes.ratio * sizes.width
        self.norm1, self.attention = nn.LayerNorm(sizes.width), VitAttention(sizes)
        self.norm2 = nn.LayerNorm(sizes.width)
        self.mlp = nn.Sequential(
            linear(sizes.width, hidden, sizes.rank), nn.GELU(), linear(hidden, sizes.width, sizes.rank)
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, sizes.width, sizes.patch, stride=sizes.patch)
        self.positions = nn.Parameter(0.02 * torch.randn(1, sizes.tokens, sizes.width))
        self.blocks = nn.Sequential(*(VitBlock(sizes) for _ in range(sizes.layers)))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.embed(image).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))
