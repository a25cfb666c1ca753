"""Small SHViT (Yun and Ro, 2024): convolutions first, then single-head attention on part of the
channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import Residual, normed


@dataclass(frozen=True)
class HybridSizes:
    image: int = 64
    width: int = 32  # of the first stage; each further one has half as much again
    layers: int = 2  # blocks in each of the three stages
    key: int = 16
    classes: int = 10


class SingleHead(nn.Module):
    """Single-head attention on a quarter of the channels; the others pass unchanged."""

    def __init__(self, width: int, key: int) -> None:
        super().__init__()
        self.part, self.key = width // 4, key
        self.norm = nn.GroupNorm(1, self.part)
        self.qkv = normed(self.part, 2 * key + self.part)
        self.out = nn.Sequential(nn.ReLU(), normed(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, height, breadth = x.shape
        part, rest = x.split([self.part, width - self.part], 1)
        q, k, v = self.qkv(self.norm(part)).flatten(2).split([self.key, self.key, self.part], 1)
        weights = (q.transpose(1, 2) @ k * self.key**-0.5).softmax(-1)
        mixed = (v @ weights.transpose(1, 2)).reshape(batch, self.part, height, breadth)
        return self.out(torch.cat([mixed, rest], 1))


def mlp(width: int) -> nn.Module:
    return nn.Sequential(normed(width, 2 * width), nn.ReLU(), normed(2 * width, width))


class Hybrid(nn.Module):
    def __init__(self, sizes: HybridSizes) -> None:
        super().__init__()
        widths = [sizes.width, sizes.width * 3 // 2, sizes.width * 2]
        stem = [normed(3, sizes.width // 2, 3, 2), nn.ReLU(), normed(sizes.width // 2, sizes.width, 3, 2), nn.ReLU()]  # fmt: skip
        body: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                body += [normed(widths[stage - 1], width, 3, 2), nn.ReLU()]
            for _ in range(sizes.layers):
                body.append(Residual(normed(width, width, 3, groups=width)))
                if stage:
                    body.append(Residual(SingleHead(width, sizes.key)))
                body.append(Residual(mlp(width)))
        self.body = nn.Sequential(*stem, *body)
        self.head = nn.Linear(widths[-1], sizes.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image).mean((2, 3)))
