"""A random small net from a seed."""

from __future__ import annotations

import random

import torch
from torch import nn

from tests.generator.blocks import BLOCKS
from tests.generator.heads import HEADS
from tests.generator.parts import Block, Fn, Shape
from tests.generator.places import PLACES
from tests.generator.spellings import SPELLINGS
from tests.generator.tokens import TOKENS

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
ALL: tuple[Block, ...] = (*BLOCKS, *SPELLINGS, *TOKENS, *PLACES, *HEADS)


def describe(block: nn.Module) -> str:
    """Which of its spellings a block has taken: enough to find it again in the source."""
    if isinstance(block, Fn):
        code = block.function.__code__
        return f"{code.co_name}@{code.co_firstlineno}"
    return (
        ",".join(map(describe, block)) if isinstance(block, nn.Sequential) else type(block).__name__
    )


class RandomNet(nn.Module):
    """Blocks in a row, some with a skip around them, ending in one of the ways nets end."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        r = random.Random(seed)
        torch.manual_seed(seed)
        self.batch = r.choice([1, 1, 2])
        self.image = (3, r.choice([12, 13, 16, 20]), r.choice([12, 16, 17]))
        width = r.choice([8, 12])
        self.gated = r.random() < 0.15
        self.width = width
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
        make = r.choice(ALL)
        block = make(r, shape)
        if block is None:
            return x
        with torch.no_grad():
            y = block.eval()(x.clone())
        skip = y.shape == x.shape and r.random() < 0.3
        self.names.append(f"{make.__name__}:{describe(block)}")
        self.skips.append(skip)
        self.blocks.append(block)
        return x + y if skip else y

    def forward(self, image: torch.Tensor, gate: torch.Tensor | None = None) -> object:
        x = self.stem(image)
        if gate is not None:
            x = x * gate[..., None, None].sigmoid()
        for block, skip in zip(self.blocks, self.skips, strict=True):
            x = x + block(x.clone()) if skip else block(x)
        dead = torch.softmax(x, 1)  # noqa: F841 - a branch that nobody reads
        pooled = x.mean((2, 3)) + x.amax((2, 3))  # behind a norm the mean alone is zero and noise
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
    least = 1e-4 if seed % 7 == 0 else 0.3  # of a running variance
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            module.running_mean.normal_(generator=generator).mul_(0.5)
            module.running_var.uniform_(least, 2, generator=generator)
        if isinstance(module, NORMS) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            if module.bias is not None:
                nn.init.normal_(module.bias, generator=generator)
    inputs = (torch.randn(net.batch, *net.image, generator=generator),)
    if net.gated:
        inputs += (torch.randn(net.batch, net.width, generator=generator),)
    return net, inputs
