"""The four nets of MLPerf Tiny (Banbury et al., 2021), by their published definitions.

Keras pads for "same" behind where the number is odd, so that padding is a call of its own here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import pad


@dataclass(frozen=True)
class KeywordSizes:
    classes: int = 12
    width: int = 64


@dataclass(frozen=True)
class AnomalySizes:
    features: int = 640
    width: int = 128
    code: int = 8


@dataclass(frozen=True)
class Resnet8Sizes:
    image: int = 32
    classes: int = 10


@dataclass(frozen=True)
class WakeWordSizes:
    image: int = 96
    classes: int = 2


class SamePadded(nn.Module):
    """A convolution padded such that its output has ceil(size / stride) rows and columns."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: tuple[int, int],
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, window, stride, groups=groups)
        self.window, self.stride = window, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides: list[int] = []
        for size, taps in zip(reversed(x.shape[2:]), reversed(self.window), strict=True):
            covered = (-(-size // self.stride) - 1) * self.stride + taps
            missing = max(covered - size, 0)
            sides += [missing // 2, missing - missing // 2]
        return self.convolution(pad(x, sides))


def _normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(channels, eps=1e-3), nn.ReLU()]


def _separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    depthwise = SamePadded(inputs, inputs, (3, 3), stride, groups=inputs)
    pointwise = nn.Conv2d(inputs, outputs, 1)
    return [*_normed(depthwise, inputs), *_normed(pointwise, outputs)]


class KeywordNet(nn.Module):
    """DS-CNN: 49 x 10 cepstral coefficients of a second of speech to the probability of each word."""

    def __init__(self, sizes: KeywordSizes) -> None:
        super().__init__()
        layers = _normed(SamePadded(1, sizes.width, (10, 4), 2), sizes.width)
        for _ in range(4):
            layers += _separable(sizes.width, sizes.width, 1)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(sizes.width, sizes.classes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features).mean((2, 3))).softmax(-1)


class AnomalyNet(nn.Module):
    """Autoencoder: 5 frames of 128 mel bands to themselves."""

    def __init__(self, sizes: AnomalySizes) -> None:
        super().__init__()
        widths = [sizes.features, *[sizes.width] * 4, sizes.code, *[sizes.width] * 4]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs, eps=1e-3), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Linear(sizes.width, sizes.features))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.body(features)


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_normed(SamePadded(inputs, outputs, (3, 3), stride), outputs),
            SamePadded(outputs, outputs, (3, 3)),
            nn.BatchNorm2d(outputs, eps=1e-3),
        )
        changes = stride > 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if changes else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.shortcut(x) + self.body(x))


class Resnet8(nn.Module):
    def __init__(self, sizes: Resnet8Sizes) -> None:
        super().__init__()
        blocks = (_Block(16, 16, 1), _Block(16, 32, 2), _Block(32, 64, 2))
        self.body = nn.Sequential(*_normed(SamePadded(3, 16, (3, 3)), 16), *blocks)
        self.head = nn.Linear(64, sizes.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image).mean((2, 3))).softmax(-1)


class WakeWordNet(nn.Module):
    """MobileNetV1 of a quarter of the width: is a person in the picture?"""

    def __init__(self, sizes: WakeWordSizes) -> None:
        super().__init__()
        widths = [8, 16, 32, 32, 64, 64, *[128] * 6, 256, 256]
        strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
        layers = _normed(SamePadded(3, widths[0], (3, 3), 2), widths[0])
        for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False):
            layers += _separable(inputs, outputs, stride)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], sizes.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image).mean((2, 3))).softmax(-1)
