"""STViT (Huang et al., 2023): attention among super tokens, of which each place has nine near it."""

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
    normed,
    pyramid,
)


@dataclass(frozen=True)
class StVitSizes:
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    tokens: tuple[int, ...] = (8, 4, 1, 1)  # places of a super token's side
    scaled: int = 4  # the first stage with a scale for each branch


class SuperTokens(nn.Module):
    """Cells are averaged, their places shared out among the nine cells near, and taken back after."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.side, self.scale = side, width**-0.5
        self.attention = SelfAttention(width, heads)
        self.register_buffer("near", torch.eye(9).reshape(9, 1, 3, 3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, height, breadth = x.shape
        rows, columns, side = height // self.side, breadth // self.side, self.side
        cells = functional.avg_pool2d(x, side)
        grid = x.reshape(batch, width, rows, side, columns, side).permute(0, 2, 4, 3, 5, 1)
        places = grid.reshape(batch, rows * columns, side * side, width)
        shares = (places @ self._near(cells) * self.scale).softmax(-1)
        total = self._spread(shares.sum(2).transpose(1, 2).reshape(batch, 9, rows, columns))
        summed = (places.transpose(2, 3) @ shares).permute(0, 2, 3, 1)
        summed = self._spread(summed.reshape(batch * width, 9, rows, columns))
        cells = self.attention(summed.reshape(cells.shape) / (total + 1e-12))
        mixed = self._near(cells) @ shares.transpose(2, 3)
        grid = mixed.reshape(batch, rows, columns, width, side, side).permute(0, 3, 1, 4, 2, 5)
        return grid.reshape(x.shape)

    def _near(self, cells: torch.Tensor) -> torch.Tensor:
        """Return batch x cells x channels x 9: each cell's neighbours."""
        batch, width, rows, columns = cells.shape
        near = functional.unfold(cells, 3, padding=1)
        return near.transpose(1, 2).reshape(batch, rows * columns, width, 9)

    def _spread(self, shares: torch.Tensor) -> torch.Tensor:
        """Return the sum, at each cell, of what its neighbours give it."""
        return functional.conv_transpose2d(shares, self.get_buffer("near"), padding=1)


def _block(sizes: StVitSizes, stage: int) -> nn.Module:
    width, heads, side = sizes.widths[stage], sizes.heads[stage], sizes.tokens[stage]
    scaled = width if stage >= sizes.scaled else 0
    mixer = SuperTokens(width, heads, side) if side > 1 else SelfAttention(width, heads)
    wide = 4 * width
    mlp = [conv(width, wide), nn.GELU(), Residual(depthwise(wide)), conv(wide, width)]
    return nn.Sequential(
        Residual(depthwise(width)),
        Residual(nn.Sequential(ChannelNorm(width), mixer), scaled),
        Residual(nn.Sequential(nn.BatchNorm2d(width), *mlp), scaled),
    )


def _enter(width: int) -> nn.Module:
    parts: list[nn.Module] = []
    for inputs, outputs, stride in ((3, width // 2, 2), (width // 2, width // 2, 1), (width // 2, width, 2), (width, width, 1)):  # fmt: skip
        parts += [conv(inputs, outputs, 3, stride), nn.GELU(), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*parts)


def stvit(sizes: StVitSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        first = normed(sizes.widths[i - 1], width, 3, 2, bias=True) if i else _enter(width)
        stages.append([first, *(_block(sizes, i) for _ in range(depth))])
    features = [normed(sizes.widths[-1], 1024, bias=True), nn.SiLU()]
    return pyramid(stages, *features, Classifier(1024, classes))


STVIT = {
    "s": StVitSizes((3, 5, 9, 3), (64, 128, 320, 512), (1, 2, 5, 8)),
    "b": StVitSizes((4, 6, 14, 6), (96, 192, 384, 512), (2, 3, 6, 8), scaled=2),
    "l": StVitSizes((4, 7, 19, 8), (96, 192, 448, 640), (2, 3, 7, 10), scaled=2),
}
