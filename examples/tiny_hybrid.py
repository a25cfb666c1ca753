"""A model of your own: a small convolution and attention net, as an author would write it.

edgevit export examples/tiny_hybrid.py:build --target iphone
"""

import torch
from torch import nn


class RepConv(nn.Module):
    """Three branches while it learns; one convolution on the device, without a hook of ours in here."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.point = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
        self.skip = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.wide(x) + self.point(x) + self.skip(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        packed = self.qkv(self.norm(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class TinyHybrid(nn.Module):
    def __init__(self, width: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, stride=4)
        self.local = nn.Sequential(RepConv(width), RepConv(width))
        self.mix = nn.Sequential(Attention(width, 4), Attention(width, 4))
        self.head = nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.local(self.stem(image))
        x = self.mix(x.flatten(2).transpose(1, 2))
        return self.head(x.mean(1))


def build() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The model, and one example of what it takes."""
    torch.manual_seed(0)
    return TinyHybrid(), (torch.randn(1, 3, 64, 64),)
