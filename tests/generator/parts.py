"""What the random blocks are built from."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import nn

Shape = tuple[int, int, int]  # channels, height, width
Plain = Callable[[torch.Tensor], torch.Tensor]
Block = Callable[[random.Random, Shape], nn.Module | None]


class Fn(nn.Module):
    """A function of the input and of modules that it owns."""

    def __init__(self, function: Callable[..., object], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: torch.Tensor) -> object:
        return self.function(x, *self.parts)


class Constant(nn.Module):
    def __init__(self, *shape: int, scale: float = 1.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.randn(*shape) * scale)

    def forward(self) -> torch.Tensor:
        return self.value


def conv_bn(c: int, out: int, kernel: int, **options: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(c, out, kernel, bias=False, **options), nn.BatchNorm2d(out))


def several(table: tuple[Plain, ...], most: int) -> Block:
    """A few entries of the table, one after the other."""

    def make(r: random.Random, s: Shape) -> nn.Module | None:
        if s[0] % 2 or min(s[1:]) < 5:
            return None
        return nn.Sequential(*(Fn(f) for f in r.sample(table, r.randint(1, most))))

    return make
