"""A net of MCUFormer's search space (Liang et al., 2023, arXiv 2310.16898), as its authors' module computes it.

edgevit export benchmarks/mcuformer_net.py:smallest --target stm32f746

Written anew after github.com/liangyn22/MCUFormer, model/: a class token and absolute positions; heads of 64; keys and values each
with positions of two tables, read by the distance of two patches in rows and in columns; every linear layer as three of a lower
rank; the mean of the patches at the end. The numbers that are searched are those of its experiments/supernet/*.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

HEAD = 64  # the width of each head, whatever the stream's
SUPER_WIDTH = (
    256  # the ranks of attention are parts of it; those of the MLP are parts of the width itself
)
FARTHEST = 14  # patches, that the tables tell apart
PADDING = {32: 8, 28: 6}  # of the image, so that patches of these sizes divide it


@dataclass(frozen=True)
class Point:
    """What is searched."""

    patch: int  # 16, 20, 24, 28, 32
    rank: float  # 0.4 to 0.95
    width: int  # 168, 192, 216
    heads: tuple[int, ...]  # 3 or 4, a block each
    ratio: float  # 3.5 or 4
    image: int = 240

    @property
    def side(self) -> int:
        return (self.image + 2 * PADDING.get(self.patch, 0)) // self.patch


class LowRank(nn.Sequential):
    """Three linear layers in place of one."""

    def __init__(self, inputs: int, rank: int, outputs: int) -> None:
        super().__init__(
            nn.Linear(inputs, rank, bias=False),
            nn.Linear(rank, rank, bias=False),
            nn.Linear(rank, outputs),
        )


class Distances(nn.Module):
    """A vector for each pair of tokens: of the distance in rows, plus that in columns; 0 is the class token's."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.rows = nn.Parameter(torch.randn(2 * FARTHEST + 2, HEAD) * 0.02)
        self.columns = nn.Parameter(torch.randn(2 * FARTHEST + 2, HEAD) * 0.02)

    def _numbers(self, place: torch.Tensor) -> torch.Tensor:
        apart = (place[None, :] - place[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST + 1
        return nn.functional.pad(apart, (1, 0, 1, 0)).long()

    def forward(self) -> torch.Tensor:
        place = torch.arange(self.side**2, device=self.rows.device)
        by_row, by_column = self._numbers(place // self.side), self._numbers(place % self.side)
        return self.rows[by_row] + self.columns[by_column]


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, rank: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = LowRank(width, rank, 3 * heads * HEAD)
        self.keys, self.values = Distances(side), Distances(side)
        self.out = LowRank(heads * HEAD, rank, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, _ = x.shape
        packed = self.qkv(x).reshape(batch, tokens, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        q, k, v = packed[0], packed[1], packed[2]
        scale = HEAD**-0.5
        scores = (q @ k.transpose(-2, -1)) * scale
        by_token = q.permute(2, 0, 1, 3).reshape(tokens, self.heads * batch, HEAD)
        apart = (by_token @ self.keys().transpose(2, 1)).transpose(1, 0)
        scores = scores + apart.reshape(batch, self.heads, tokens, tokens) * scale
        share = scores.softmax(-1)
        mixed = (share @ v).transpose(1, 2).reshape(batch, tokens, -1)
        by_token = share.permute(2, 0, 1, 3).reshape(tokens, batch * self.heads, tokens)
        apart = (by_token @ self.values()).transpose(1, 0)
        apart = apart.reshape(batch, self.heads, tokens, HEAD)
        return self.out(mixed + apart.transpose(2, 1).reshape(batch, tokens, -1))


class Block(nn.Module):
    def __init__(self, point: Point, heads: int) -> None:
        super().__init__()
        width, hidden = point.width, int(point.width * point.ratio)
        rank = int(width * point.rank)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, int(SUPER_WIDTH * point.rank), point.side)
        self.up, self.down = LowRank(width, rank, hidden), LowRank(hidden, rank, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.first(x))
        return x + self.down(nn.functional.gelu(self.up(self.second(x))))


class SearchedViT(nn.Module):
    def __init__(self, point: Point, classes: int = 1000) -> None:
        super().__init__()
        self.embed = nn.Conv2d(
            3, point.width, point.patch, point.patch, padding=PADDING.get(point.patch, 0)
        )
        self.token = nn.Parameter(torch.randn(1, 1, point.width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, point.side**2 + 1, point.width) * 0.02)
        self.blocks = nn.ModuleList(Block(point, heads) for heads in point.heads)
        self.norm, self.head = nn.LayerNorm(point.width), nn.Linear(point.width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.embed(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(image.shape[0], -1, -1), x), dim=1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 1:].mean(1))


def _net(point: Point, classes: int = 1000) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    torch.manual_seed(0)
    return SearchedViT(point, classes), (torch.randn(1, 3, point.image, point.image),)


POINTS = {
    "smallest": Point(32, 0.4, 168, (3,) * 12, 3.5),
    "middle": Point(24, 0.7, 192, (3, 4) * 6 + (3,), 4.0),
    "fine": Point(16, 0.4, 168, (3,) * 12, 3.5),
    "largest": Point(16, 0.95, 216, (4,) * 14, 4.0),
}


def smallest() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return _net(POINTS["smallest"])


def middle() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return _net(POINTS["middle"])


def fine() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return _net(POINTS["fine"])


def largest() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return _net(POINTS["largest"])


def tiny() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The same shape in little, for tests: a block, 3 x 3 patches."""
    return _net(Point(16, 0.4, 24, (2,), 2.0, image=48), classes=10)
