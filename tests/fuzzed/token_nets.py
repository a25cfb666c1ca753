"""Vision transformers that drop, fuse and merge their own tokens, in the operators their authors use.

A small one of each layout: indices by topk and its complement (EViT), ranks by sort and pairs by
scatter_reduce (DiffRate), several criteria with sizes in later attentions (MCTF).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, HEADS, SIDE = 16, 2, 4
Tokens = torch.Tensor


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tokens, size: Tokens | None = None) -> tuple[Tokens, Tokens, Tokens]:
        """Return tokens, the map of all heads, and the keys."""
        batch, count, _ = x.shape
        qkv = self.qkv(x).reshape(batch, count, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5
        if size is not None:
            scores = scores + size.log()[:, None, None, :, 0]
        seen = scores.softmax(-1)
        return self.proj((seen @ v).transpose(1, 2).reshape(batch, count, WIDTH)), seen, k.mean(1)


def complement(places: torch.Tensor, count: int) -> torch.Tensor:
    """Return the places of 0..count-1 that are not among `places`, by zeroing those and sorting."""
    every = torch.arange(count, device=places.device).unsqueeze(0).expand(places.shape[0], -1)
    zeroed = torch.scatter(every, -1, places, 0)
    rising, _ = torch.sort(zeroed, dim=-1, descending=False)
    return rising[:, places.shape[1] :]


def taken(x: Tokens, places: torch.Tensor) -> Tokens:
    return torch.gather(x, 1, places.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 32), nn.GELU(), nn.Linear(32, WIDTH))


class FusingBlock(Block):
    """EViT: keep the tokens that the class token looks at most, fuse the others into one."""

    def forward(self, x: Tokens, size: Tokens | None) -> tuple[Tokens, Tokens | None]:
        mixed, seen, _ = self.attention(self.norm1(x))
        x = x + mixed
        seen = seen[:, :, 0, 1:].mean(1)
        rest = x[:, 1:]
        _, best = torch.topk(seen, int(0.6 * rest.shape[1]), dim=1, largest=True, sorted=True)
        others = complement(best, rest.shape[1])
        weights = torch.gather(seen, 1, others).unsqueeze(-1)
        fused = (taken(rest, others) * weights).sum(1, keepdim=True)
        x = torch.cat([x[:, :1], taken(rest, best), fused], 1)
        return x + self.mlp(self.norm2(x)), size


class RankedBlock(Block):
    """DiffRate: sort by the class token's attention, drop the last, merge the next into their nearest."""

    kept, merged = 13, 3

    def forward(self, x: Tokens, size: Tokens | None) -> tuple[Tokens, Tokens | None]:
        assert size is not None
        mixed, seen, _ = self.attention(self.norm1(x), size)
        x = x + mixed
        order = seen[:, :, 0, 1:].mean(1).argsort(dim=-1, descending=True) + 1
        order = torch.cat([torch.zeros_like(order[:, :1]), order], 1)
        kept = min(self.kept, x.shape[1])
        x, size = taken(x, order)[:, :kept], taken(size, order)[:, :kept]
        stay, leave = x[:, : kept - self.merged], x[:, kept - self.merged :]
        alike = F.normalize(leave, dim=-1) @ F.normalize(stay, dim=-1).transpose(-1, -2)
        alike[..., 0] = -torch.inf  # the class token takes none
        target = alike.argmax(-1).unsqueeze(-1)
        weighted = (x * size)[:, kept - self.merged :]
        sums = (stay * size[:, : kept - self.merged]).scatter_reduce(
            1, target.expand(-1, -1, WIDTH), weighted, reduce="sum"
        )
        size = size[:, : kept - self.merged].scatter_reduce(
            1, target, size[:, kept - self.merged :], reduce="sum"
        )
        x = sums / size
        return x + self.mlp(self.norm2(x)), size


class CriteriaBlock(Block):
    """MCTF: pair the tokens of two halves by likeness, attention and size together, and pool each pair."""

    fewer = 3

    def forward(self, x: Tokens, size: Tokens | None) -> tuple[Tokens, Tokens | None]:
        assert size is not None
        mixed, seen, keys = self.attention(self.norm1(x), size)
        x = x + mixed
        keys = keys / keys.norm(dim=-1, keepdim=True)
        a, b = keys[:, ::2], keys[:, 1::2]
        told = seen.mean((1, 2)).unsqueeze(-1)
        small = 1 - (told[:, ::2] @ told[:, 1::2].transpose(-1, -2)).sqrt()
        light = (1 / size[:, ::2]) @ (1 / size[:, 1::2]).transpose(-1, -2)
        scores = (a @ b.transpose(-1, -2) + 1) / 2 * small * light.pow(0.05)
        scores[:, 0] = -torch.inf  # the class token stays
        best, partner = scores.max(-1)
        order = best.argsort(dim=-1, descending=True)[..., None]
        leaving, staying = order[:, : self.fewer], order[:, self.fewer :].sort(dim=1)[0]
        target = partner[..., None].gather(1, leaving)

        def merge(tokens: Tokens) -> Tokens:
            even, odd = tokens[:, ::2], tokens[:, 1::2]
            wide = tokens.shape[-1]
            stay = even.gather(1, staying.expand(-1, -1, wide))
            gone = even.gather(1, leaving.expand(-1, -1, wide))
            return torch.cat([stay, odd.scatter_add(1, target.expand(-1, -1, wide), gone)], 1)

        weight = size * told
        x = merge(x * weight) / merge(weight)
        size = merge(size)
        return x + self.mlp(self.norm2(x)), size


class Net(nn.Module):
    def __init__(self, block: type[Block], sized: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.sized = nn.Conv2d(3, WIDTH, 8, 8), sized
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(torch.randn(1, SIDE * SIDE + 1, WIDTH))
        self.blocks = nn.ModuleList(block() for _ in range(2))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        size = torch.ones_like(x[..., :1]) if self.sized else None
        for block in self.blocks:
            x, size = block(x, size)
        return self.head(self.norm(x)[:, 0])


def fuses() -> tuple[nn.Module, torch.Tensor]:
    return Net(FusingBlock, sized=False).eval(), torch.rand(1, 3, 32, 32)


def ranks() -> tuple[nn.Module, torch.Tensor]:
    return Net(RankedBlock, sized=True).eval(), torch.rand(1, 3, 32, 32)


def merges() -> tuple[nn.Module, torch.Tensor]:
    return Net(CriteriaBlock, sized=True).eval(), torch.rand(1, 3, 32, 32)
