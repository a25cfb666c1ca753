"""Small token transformers for the lossy rewrites, with ways to spell and to spoil their attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

attention = nn.functional.scaled_dot_product_attention
# From tokens, their sizes, queries and keys to fewer tokens and their sizes.
Merge = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]
]


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(
        self, x: torch.Tensor, size: torch.Tensor | None = None, merge: Merge | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch, tokens, width = x.shape
        packed = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        mask = None if size is None else size.log().reshape(batch, 1, 1, tokens)
        mixed = attention(q, k, v, mask)
        x = x + self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        if merge is not None:
            x, size = merge(x, torch.ones(batch, tokens, 1) if size is None else size, q, k)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)))), size


class Tokens(nn.Module):
    """Tokens in; the first one or their mean through a head out."""

    def __init__(
        self, readout: Callable[[torch.Tensor], torch.Tensor], depth: int = 2, width: int = 12,
        heads: int = 3, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        torch.manual_seed(seed)
        self.readout = readout
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.head = nn.Linear(width, 5)
        for held in self.parameters():
            nn.init.normal_(held, std=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.readout(x))

    def merging(self, x: torch.Tensor, merge: Merge) -> torch.Tensor:
        """What it computes with `merge` after every attention, read out at the first token."""
        size = None
        for block in self.blocks:
            x, size = block(x, size, merge)
        return self.head(x[:, 0])


def first(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0]


def mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(1)


def merge_one_by_one(prefix: int, count: int) -> Merge:
    """The merging of tokens as the paper tells it, in loops."""

    def merge(
        x: torch.Tensor, size: torch.Tensor, _: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        made = [
            _merge_picture(x[k], size[k], keys[k].mean(0), prefix, count) for k in range(len(x))
        ]
        return torch.stack([m[0] for m in made]), torch.stack([m[1] for m in made])

    return merge


def _merge_picture(
    x: torch.Tensor, size: torch.Tensor, keys: torch.Tensor, prefix: int, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = (len(x) - prefix) // 2
    a = [prefix + 2 * k for k in range(pairs)]
    b = [place + 1 for place in a]
    alike = nn.functional.cosine_similarity(keys[a][:, None], keys[b][None], dim=-1)
    ranked = sorted(range(pairs), key=lambda k: -float(alike[k].max()))
    sums, sizes = x * size, size.clone()
    for k in ranked[:count]:
        into = b[int(alike[k].argmax())]
        sums[into] += x[a[k]] * size[a[k]]
        sizes[into] += size[a[k]]
    # In the order in which the rewrite leaves them, on which the next merge depends.
    left = [*range(prefix), *(a[k] for k in ranked[count:]), *b]
    left += range(prefix + 2 * pairs, len(x))
    return (sums / sizes)[left], sizes[left]


def fuse_the_rest(prefix: int, count: int) -> Merge:
    """The fusing of the least attended tokens, each picture by itself."""

    def fuse(
        x: torch.Tensor, size: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        products = queries @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        maps = (products + size.log()[:, None, :, 0][:, :, None]).softmax(-1)
        read = maps[:, :, :prefix] if prefix else maps
        made = [_fuse_picture(x[k], size[k], read[k].mean((0, 1)), prefix, count) for k in range(len(x))]  # fmt: skip
        return torch.stack([m[0] for m in made]), torch.stack([m[1] for m in made])

    return fuse


def _fuse_picture(
    x: torch.Tensor, size: torch.Tensor, score: torch.Tensor, prefix: int, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    fused = [place for place in range(len(x)) if size[place] > 1]
    free = [place for place in range(prefix, len(x)) if place not in fused]
    ranked = sorted(free, key=lambda place: -float(score[place]))
    stay, go = (
        [*range(prefix), *ranked[: len(free) - count]],
        [*ranked[len(free) - count :], *fused],
    )
    one = (score[go, None] * x[go]).sum(0, keepdim=True) / score[go].sum()
    return torch.cat([x[stay], one]), torch.cat([size[stay], size[go].sum(0, keepdim=True)])
