"""Layers that several nets of the zoo are made of. Images are batch x channels x rows x columns."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def conv(
    inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1, bias: bool = True, dilation: int = 1
) -> nn.Conv2d:  # fmt: skip
    """Return a convolution that keeps the size, divided by the stride; patches have no border."""
    padding = 0 if size == stride else dilation * (size // 2)
    return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, groups, bias)


def depthwise(width: int, size: int = 3, stride: int = 1, bias: bool = True, dilation: int = 1) -> nn.Conv2d:  # fmt: skip
    return conv(width, width, size, stride, width, bias, dilation)


def normed(
    inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Sequential:  # fmt: skip
    return nn.Sequential(conv(inputs, outputs, size, stride, groups, bias), nn.BatchNorm2d(outputs))


def stem(width: int, activation: type[nn.Module], last: bool = True) -> nn.Sequential:
    """Return two convolutions of stride 2, each with its norm and activation."""
    half = width // 2
    parts = [normed(3, half, 3, 2, bias=True), activation(), normed(half, width, 3, 2, bias=True)]
    return nn.Sequential(*parts, *([activation()] if last else []))


class Residual(nn.Module):
    """x + body(x), or x + scale * body(x) with a learnt scale for each channel."""

    def __init__(self, body: nn.Module, width: int = 0, scale: float = 1e-5) -> None:
        super().__init__()
        self.body = body
        self.scale = nn.Parameter(torch.full((width, 1, 1), scale)) if width else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return x + (y if self.scale is None else self.scale * y)


class ChannelNorm(nn.LayerNorm):
    """Layer norm of an image over its channels, at each place."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__(width, eps)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SelfAttention(nn.Module):
    """Attention among all places of an image."""

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = conv(width, 3 * width, bias=bias)
        self.out = conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (_split(part, self.heads) for part in self.qkv(x).chunk(3, 1))
        return self.out(join(functional.scaled_dot_product_attention(q, k, v), x))


def _split(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Return the places of an image as tokens of each head: batch x heads x places x channels."""
    return x.reshape(x.shape[0], heads, x.shape[1] // heads, -1).transpose(2, 3)


def join(tokens: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the tokens of all heads as an image of the size of another."""
    return tokens.transpose(2, 3).reshape(like.shape[0], -1, *like.shape[2:])


class ChannelGate(nn.Module):
    """Squeeze and excitation: each channel times a number that the means of all give."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            conv(width, squeezed),
            nn.ReLU(),
            conv(squeezed, width),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


class Classifier(nn.Module):
    """The mean over all places, into class scores; with a second head beside, the mean of both."""

    def __init__(self, width: int, classes: int, distilled: bool = False) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)
        self.distilled = nn.Linear(width, classes) if distilled else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.mean((2, 3))
        if self.distilled is None:
            return self.head(x)
        return (self.head(x) + self.distilled(x)) / 2


def pyramid(stages: list[list[nn.Module]], *ends: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(nn.Sequential(*stage) for stage in stages), *ends)
