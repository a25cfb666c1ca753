"""T2T-ViT with unified normalisation (Yang et al., 2022): after training its norms are a factor and a sum for each channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgevit.frontend.zoo.layers import Residual


@dataclass(frozen=True)
class UnifiedNormSizes:
    width: int
    depth: int
    heads: int
    ratio: int  # of the hidden layers


class UnifiedNorm(nn.Module):
    """Divide each channel by the root of its mean square while training; the mean itself stays."""

    mean_square: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean_square", torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / (self.mean_square + 1e-5).sqrt() * self.weight + self.bias


class RandomFeatures(nn.Module):
    """Attention of one head by positive random features, whose products are summed over all tokens first."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        count = width // 2
        self.kqv = nn.Linear(inputs, 3 * width)
        self.out = nn.Linear(width, width)
        directions = nn.init.orthogonal_(torch.empty(count, width)) * math.sqrt(count)
        self.directions = nn.Parameter(directions, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        keys, queries, values = self.kqv(x).chunk(3, -1)
        keys, queries = self._features(keys), self._features(queries)
        sums = queries @ keys.sum(1).unsqueeze(-1)
        mixed = queries @ (keys.transpose(1, 2) @ values)
        return values + self.out(mixed / (sums + 1e-8))

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        count = self.directions.shape[0]
        exponents = x @ self.directions.T - (x * x).sum(-1, keepdim=True) / 2
        return torch.exp(exponents) / math.sqrt(count)


class TokensToTokens(nn.Module):
    """Patches that overlap become tokens, tokens an image, twice; then tokens of the width."""

    def __init__(self, width: int, narrow: int = 64) -> None:
        super().__init__()
        self.mixers = nn.ModuleList(_mixer(n, narrow) for n in (3 * 49, 9 * narrow))
        self.out = nn.Linear(9 * narrow, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = functional.unfold(x, 7, padding=2, stride=4).transpose(1, 2)
        rows = x.shape[2] // 4
        for mixer in self.mixers:
            tokens = mixer(tokens)
            image = tokens.transpose(1, 2).unflatten(2, (rows, -1))
            tokens = functional.unfold(image, 3, padding=1, stride=2).transpose(1, 2)
            rows //= 2
        return self.out(tokens)


def _mixer(inputs: int, width: int) -> nn.Module:
    return nn.Sequential(
        UnifiedNorm(inputs), RandomFeatures(inputs, width), Residual(_perceptron(width, 1))
    )


def _perceptron(width: int, ratio: int) -> nn.Module:
    wide = ratio * width
    return nn.Sequential(
        UnifiedNorm(width), nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width)
    )


class TokenAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class PlacedTokens(nn.Module):
    """A class token before all others, and places by sines."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(_sines(count + 1, width), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.first.expand(x.shape[0], -1, -1), x), 1) + self.places


class FirstToken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0]


def _sines(count: int, width: int) -> torch.Tensor:
    """Return sines in the even channels and cosines in the odd ones, of slower and slower waves."""
    channels = torch.arange(width)
    waves = torch.arange(count).unsqueeze(1) / 10000 ** (2 * (channels // 2) / width)
    return torch.where(channels % 2 == 0, waves.sin(), waves.cos()).unsqueeze(0)


def unifiednorm(sizes: UnifiedNormSizes, image: int, classes: int) -> nn.Module:
    width = sizes.width
    blocks = [
        nn.Sequential(
            Residual(nn.Sequential(UnifiedNorm(width), TokenAttention(width, sizes.heads))),
            Residual(_perceptron(width, sizes.ratio)),
        )
        for _ in range(sizes.depth)
    ]
    tokens = [TokensToTokens(width), PlacedTokens(width, (image // 16) ** 2)]
    return nn.Sequential(
        *tokens, *blocks, UnifiedNorm(width), FirstToken(), nn.Linear(width, classes)
    )


UNIFIEDNORM = {"14": UnifiedNormSizes(384, 14, 6, 3)}
