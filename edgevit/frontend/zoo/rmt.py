"""RMT (Fan et al., 2024): attention that decays with the distance, along rows and then columns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import (  # fmt: skip
    ChannelNorm,
    Classifier,
    Residual,
    conv,
    depthwise,
    normed,
    pyramid,
)


@dataclass(frozen=True)
class RmtSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    ranges: tuple[int, ...]  # of the decays among the heads
    ratios: tuple[int, ...]
    apart: int  # stages whose attention is along rows, then columns
    scaled: int = 4  # the first stage with a scale for each branch


class Retention(nn.Module):
    """Rotary positions, and a bias that falls with the Manhattan distance, each head at its rate."""

    def __init__(self, width: int, heads: int, spread: int, size: int, apart: bool) -> None:
        super().__init__()
        self.heads, self.apart = heads, apart
        self.query, self.key, self.value, self.out = (conv(width, width) for _ in range(4))
        self.local = depthwise(width, 5)
        key = width // heads
        angles = (1 / 10000 ** torch.linspace(0, 1, key // 2)).repeat_interleave(2)
        turns = torch.arange(size * size)[:, None] * angles
        rates = torch.log(1 - 2 ** (-2 - spread * torch.arange(heads) / heads))[:, None, None]
        self.register_buffer("sine", turns.sin(), persistent=False)
        self.register_buffer("cosine", turns.cos(), persistent=False)
        self.register_buffer("decay", rates * _distance(size, apart), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, value = self.query(x), self.key(x), self.value(x)
        tokens = _along_lines if self.apart else _all_places
        mixed = tokens(
            self._turned(q), self._turned(k), self._heads(value), self.get_buffer("decay"), x.shape
        )
        return self.out(mixed + self.local(value))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """Return batch x heads x places x channels."""
        return x.reshape(x.shape[0], self.heads, x.shape[1] // self.heads, -1).transpose(2, 3)

    def _turned(self, x: torch.Tensor) -> torch.Tensor:
        x = self._heads(x)
        turned = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(3)
        return x * self.get_buffer("cosine") + turned * self.get_buffer("sine")


def _distance(size: int, apart: bool) -> torch.Tensor:
    line = torch.arange(size)
    apart_by = (line[:, None] - line).abs().float()
    if apart:
        return apart_by
    rows = apart_by.repeat_interleave(size, 0).repeat_interleave(size, 1)
    return rows + apart_by.repeat(size, size)


def _all_places(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, decay: torch.Tensor, shape: torch.Size) -> torch.Tensor:  # fmt: skip
    mixed = functional.scaled_dot_product_attention(q, k, v, decay)
    return mixed.transpose(2, 3).reshape(shape)


def _along_lines(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, decay: torch.Tensor, shape: torch.Size) -> torch.Tensor:  # fmt: skip
    batch, width, rows, columns = shape
    heads = q.shape[1]
    grid = (batch, heads, rows, columns, -1)
    q, k, v = q.reshape(grid), k.reshape(grid), v.reshape(grid)
    q_row, k_row, v_row = (part.transpose(1, 2).flatten(0, 1) for part in (q, k, v))
    v = functional.scaled_dot_product_attention(q_row, k_row, v_row, decay)
    v = v.reshape(batch, rows, heads, columns, -1).permute(0, 3, 2, 1, 4).flatten(0, 1)
    q, k = (part.permute(0, 3, 1, 2, 4).flatten(0, 1) for part in (q, k))
    mixed = functional.scaled_dot_product_attention(q, k, v, decay)
    mixed = mixed.reshape(batch, columns, heads, rows, -1)
    return mixed.permute(0, 2, 4, 3, 1).reshape(batch, width, rows, columns)


def _block(sizes: RmtSizes, stage: int, size: int) -> nn.Module:
    width, wide = sizes.widths[stage], sizes.widths[stage] * sizes.ratios[stage]
    scaled = width if stage >= sizes.scaled else 0
    mixer = Retention(width, sizes.heads[stage], sizes.ranges[stage], size, stage < sizes.apart)
    mlp = [conv(width, wide), nn.GELU(), Residual(depthwise(wide)), conv(wide, width)]
    return nn.Sequential(
        Residual(depthwise(width)),
        Residual(nn.Sequential(ChannelNorm(width), mixer), scaled),
        Residual(nn.Sequential(ChannelNorm(width), *mlp), scaled),
    )


def _enter(width: int) -> nn.Module:
    parts: list[nn.Module] = []
    for inputs, outputs, stride in ((3, width // 2, 2), (width // 2, width // 2, 1), (width // 2, width, 2), (width, width, 1)):  # fmt: skip
        parts += [normed(inputs, outputs, 3, stride, bias=True), nn.GELU()]
    return nn.Sequential(*parts[:-1])


def rmt(sizes: RmtSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    size = -(-image // 2)
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        size = -(-size // 2)
        first = normed(sizes.widths[i - 1], width, 3, 2, bias=True) if i else _enter(width)
        stages.append([first, *(_block(sizes, i, size) for _ in range(depth))])
    features = [normed(sizes.widths[-1], 1024, bias=True), nn.SiLU()]
    return pyramid(stages, *features, Classifier(1024, classes))


RMT = {
    "t": RmtSizes((2, 2, 8, 2), (64, 128, 256, 512), (4, 4, 8, 16), (4, 4, 6, 6), (3,) * 4, 2),
    "s": RmtSizes((3, 4, 18, 4), (64, 128, 256, 512), (4, 4, 8, 16), (4, 4, 6, 6), (4, 4, 3, 3), 3),
    "b": RmtSizes(
        (4, 8, 25, 8), (80, 160, 320, 512), (5, 5, 10, 16), (5, 5, 6, 6), (4, 4, 3, 3), 3, 2
    ),
}
