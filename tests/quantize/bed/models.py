"""Four small nets as their authors would write them, for grey pictures of 16x16.

A vision transformer (with or without register tokens), a hybrid with single-head attention, a
MobileViT and a MobileNetV2. They state the preprocessing and labels that an export asks for.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tests.quantize.bed.digits import CLASSES, MEAN, SIZE, STD


class DigitNet(nn.Module):
    """What all have in common: an export reads these from the model."""

    input_size = (1, SIZE, SIZE)
    preprocess = {"mean": MEAN, "std": STD, "crop_pct": 1.0, "interpolation": "bilinear"}  # noqa: RUF012
    labels = tuple(map(str, range(CLASSES)))


class TokenAttention(nn.Module):
    """Attention of tokens, N x T x width, with its norm and residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def heads_of(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch, tokens, width = x.shape
        packed = self.qkv(self.norm(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        return packed.permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.heads_of(x)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(1, 2).reshape(x.shape))


class TokenMlp(nn.Module):
    def __init__(self, width: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.act, self.down = nn.Linear(width, hidden), act, nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.act(self.up(self.norm(x))))


def token_blocks(width: int, heads: int, layers: int, act: type[nn.Module]) -> nn.Sequential:
    pairs = (
        (TokenAttention(width, heads), TokenMlp(width, 2 * width, act())) for _ in range(layers)
    )
    return nn.Sequential(*(block for pair in pairs for block in pair))


class Vit(DigitNet):
    """A DeiT. Register tokens, where it has some, are constants that no patch writes to."""

    def __init__(
        self,
        width: int = 48,
        heads: int = 3,
        layers: int = 4,
        registers: int = 0,
        patch: int = 4,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.first = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.registers = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.places = nn.Parameter(0.02 * torch.randn(1, 1 + (SIZE // patch) ** 2, width))
        self.blocks = token_blocks(width, heads, layers, nn.GELU)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def tokens(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(image), -1, -1), patches], 1) + self.places
        if self.registers is not None:
            x = torch.cat([x, self.registers.expand(len(image), -1, -1)], 1)
        return x

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(self.tokens(image))[:, 0]))


class ExitVit(Vit):
    """A DeiT of 65 tokens and six blocks that has said what it sees after two, four and six.

    It returns the logits of every exit, or with `every` false those of the last one only.
    """

    exits = ("after_2", "after_4", "after_6")

    def __init__(self, every: bool = True) -> None:
        super().__init__(width=64, heads=4, layers=6, patch=2)
        self.every = every
        self.early = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(64), nn.Linear(64, CLASSES)) for _ in range(2)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        if not self.every:
            return super().forward(image)
        x, said = self.tokens(image), list[torch.Tensor]()
        for block, part in enumerate(self.blocks):
            x = part(x)
            if block in (3, 7):  # a block is two parts: attention and MLP
                said.append(self.early[len(said)](x[:, 0]))
        return *said, self.head(self.norm(x[:, 0]))


class ConvNorm(nn.Sequential):
    """A convolution and its batch norm, `conv` and `norm`."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs)


class MapAttention(nn.Module):
    """Single-head attention of the first channels of a map; all go through the product behind it."""

    def __init__(self, width: int, mixed: int, keys: int = 16) -> None:
        super().__init__()
        self.sizes, self.parts = (keys, keys, mixed), (mixed, width - mixed)
        self.norm = nn.GroupNorm(1, mixed)
        self.qkv, self.out = ConvNorm(mixed, 2 * keys + mixed), ConvNorm(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, height, width = x.shape
        mixed, rest = x.split(self.parts, 1)
        q, k, v = self.qkv(self.norm(mixed)).flatten(2).split(self.sizes, 1)
        weights = (q.transpose(1, 2) @ k * self.sizes[0] ** -0.5).softmax(-1)
        mixed = (v @ weights.transpose(1, 2)).reshape(batch, -1, height, width)
        return x + self.out(torch.relu(torch.cat([mixed, rest], 1)))


class MapMlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up, self.act, self.down = ConvNorm(width, hidden), nn.ReLU(), ConvNorm(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.act(self.up(x)))


class Local(nn.Module):
    """A depthwise convolution round which the map is passed by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.depthwise(x)


class Hybrid(DigitNet):
    """A SHViT: depthwise, single-head attention under a group norm, ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(1, 32, 3, 2), nn.ReLU())
        self.high = nn.Sequential(Local(32), MapAttention(32, 16), MapMlp(32, 64))
        self.halve = nn.Sequential(ConvNorm(32, 56, 3, 2), nn.ReLU())
        self.low = nn.Sequential(*self._stage(56, 24), *self._stage(56, 24))
        self.norm, self.head = nn.BatchNorm1d(56), nn.Linear(56, CLASSES)

    @staticmethod
    def _stage(width: int, mixed: int) -> tuple[nn.Module, ...]:
        return Local(width), MapAttention(width, mixed), MapMlp(width, 2 * width)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.low(self.halve(self.high(self.stem(image))))
        return self.head(self.norm(x.mean((2, 3))))


class Inverted(nn.Module):
    """1x1 out, depthwise, 1x1 back."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, act: type[nn.Module], ratio: int = 4
    ) -> None:
        super().__init__()
        hidden = ratio * inputs
        self.widen, self.act1 = ConvNorm(inputs, hidden), act()
        self.depthwise, self.act2 = ConvNorm(hidden, hidden, 3, stride, hidden), act()
        self.narrow = ConvNorm(hidden, outputs)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.narrow(self.act2(self.depthwise(self.act1(self.widen(x)))))
        return x + y if self.skips else y


class Conv(DigitNet):
    """A MobileNetV2 with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(1, 16, 3), nn.ReLU())
        shapes = ((16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1))
        self.body = nn.Sequential(*(Inverted(*shape, nn.ReLU) for shape in shapes))
        self.last = nn.Sequential(ConvNorm(40, 96), nn.ReLU())
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(96, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.last(self.body(self.stem(image)))).flatten(1))


class PatchTransformer(nn.Module):
    """A MobileViT block: tokens at the same place of each 2x2 patch attend to one another."""

    def __init__(self, channels: int, width: int, layers: int = 2) -> None:
        super().__init__()
        self.local = nn.Sequential(ConvNorm(channels, channels, 3), nn.SiLU())
        self.enter, self.leave = nn.Conv2d(channels, width, 1), nn.Conv2d(width, channels, 1)
        self.blocks, self.norm = token_blocks(width, 4, layers, nn.SiLU), nn.LayerNorm(width)
        self.fuse = nn.Sequential(ConvNorm(2 * channels, channels, 3), nn.SiLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.enter(self.local(x))
        batch, width, rows, columns = y.shape
        y = y.reshape(batch, width, rows // 2, 2, columns // 2, 2).permute(0, 3, 5, 2, 4, 1)
        y = self.norm(self.blocks(y.reshape(batch * 4, rows * columns // 4, width)))
        y = y.reshape(batch, 2, 2, rows // 2, columns // 2, width).permute(0, 5, 3, 1, 4, 2)
        return self.fuse(torch.cat([x, self.leave(y.reshape(batch, width, rows, columns))], 1))


class MobileVit(DigitNet):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(1, 16, 3), nn.SiLU())
        self.body = nn.Sequential(
            Inverted(16, 24, 2, nn.SiLU, 2), PatchTransformer(24, 32),
            Inverted(24, 32, 2, nn.SiLU, 2), PatchTransformer(32, 48),
        )  # fmt: skip
        self.last = nn.Sequential(ConvNorm(32, 96), nn.SiLU())
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(96, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.last(self.body(self.stem(image)))).flatten(1))
