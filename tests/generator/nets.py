"""A random small net from a seed."""

from __future__ import annotations

import random

import torch
from blocks import BLOCKS, Shape
from torch import nn


class RandomNet(nn.Module):
    """Blocks in a row, some with a skip around them, ending in one of the ways nets end."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        r = random.Random(seed)
        torch.manual_seed(seed)
        self.batch = r.choice([1, 1, 2])
        self.image = (3, r.choice([12, 13, 16, 20]), r.choice([12, 16, 17]))
        width = r.choice([8, 12])
        self.stem = nn.Conv2d(3, width, 3, r.choice([1, 2]), 1)
        self.names: list[str] = []
        self.skips: list[bool] = []
        self.blocks = nn.ModuleList()
        self.ending = r.choice(["classes", "classes", "map", "two", "dict", "echo"])
        x = self.stem(torch.randn(self.batch, *self.image))
        for _ in range(r.randint(3, 7)):
            x = self._grow(r, x)
        self.head = nn.Linear(x.shape[1], 5)

    def _grow(self, r: random.Random, x: torch.Tensor) -> torch.Tensor:
        shape: Shape = tuple(x.shape[1:])
        make = r.choice(BLOCKS)
        block = make(r, shape)
        if block is None:
            return x
        with torch.no_grad():
            y = block.eval()(x.clone())
        skip = y.shape == x.shape and r.random() < 0.3
        self.names.append(make.__name__)
        self.skips.append(skip)
        self.blocks.append(block)
        return x + y if skip else y

    def forward(self, image: torch.Tensor) -> object:
        x = self.stem(image)
        for block, skip in zip(self.blocks, self.skips, strict=True):
            x = x + block(x.clone()) if skip else block(x)
        dead = torch.softmax(x, 1)  # noqa: F841 - a branch that nobody reads
        pooled = x.mean((2, 3))
        if self.ending == "map":
            return x
        if self.ending == "two":
            return self.head(pooled), x
        if self.ending == "dict":
            return {"logits": self.head(pooled), "pooled": pooled}
        return (self.head(pooled), image) if self.ending == "echo" else self.head(pooled)


def random_net(seed: int) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    net = RandomNet(seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator).mul_(0.5)
            extreme = 1e-4 if seed % 7 == 0 else 0.5
            module.running_var.uniform_(extreme, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, generator=generator)
    return net, (torch.randn(net.batch, *net.image, generator=generator),)
