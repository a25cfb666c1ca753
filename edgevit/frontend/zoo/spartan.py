"""SpaRTAN (Pay et al., 2025): two reaches of kernels, then channels as waves with a phase."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edgevit.frontend.zoo.layers import ChannelGate, Classifier, Residual, conv, pyramid

_EPS = 1e-6


@dataclass(frozen=True)
class SpartanSizes:
    depths: tuple[int, ...] = (3, 3, 12, 2)
    widths: tuple[int, ...] = (32, 64, 128, 256)
    ratios: tuple[int, ...] = (4, 4, 2, 2)


def _conv(inputs: int, outputs: int, size: int, stride: int, groups: int, dilation: int = 1) -> nn.Module:  # fmt: skip
    body = conv(inputs, outputs, size, stride, groups, bias=False, dilation=dilation)
    return nn.Sequential(body, nn.BatchNorm2d(outputs, _EPS), nn.GELU())


class SpatialMixer(nn.Module):
    def __init__(self, width: int, separable: bool) -> None:
        super().__init__()
        half = width // 2
        groups = half if separable else 1
        self.enter, self.leave = conv(width, half), conv(width, width)
        self.contrast = nn.Parameter(torch.full((half, 1, 1), 1e-5))
        self.near = nn.Sequential(_conv(half, half, 3, 1, groups), ChannelGate(half, half // 4))
        far = conv(half, half, 3, 1, groups, bias=False, dilation=2)
        self.far = nn.Sequential(
            far, _conv(half, half, 3, 1, groups, dilation=2), ChannelGate(half, half // 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.enter(x)
        x = x + self.contrast * (x - x.mean((2, 3), keepdim=True))
        return self.leave(torch.cat([self.near(x), self.far(x)], 1))


class WaveMixer(nn.Module):
    """Amplitudes times phases, and those of the place's strongest channel; pairs turn by a learnt angle."""

    def __init__(self, width: int, ratio: int, separable: bool) -> None:
        super().__init__()
        wide = width * ratio
        self.phase, self.amplitude = conv(width, wide), conv(width, wide)
        self.turn = nn.Parameter(torch.randn(wide // 2, 2))
        self.local = _conv(wide, wide, 3, 1, width if separable else wide)
        self.gate, self.leave = ChannelGate(wide, width // 4), conv(wide, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        strongest = x.argmax(1, keepdim=True)
        phase, amplitude = nn.functional.gelu(self.phase(x)), self.amplitude(x)
        peak = phase.gather(1, strongest) * amplitude.gather(1, strongest)
        return self.leave(self.gate(self.local(self._turned(phase * amplitude + peak))))

    def _turned(self, x: torch.Tensor) -> torch.Tensor:
        """Return pairs of channels as complex numbers, times those learnt."""
        real, imaginary = x.reshape(x.shape[0], -1, 2, *x.shape[2:]).unbind(2)
        cosine, sine = self.turn[:, 0, None, None], self.turn[:, 1, None, None]
        turned = [real * cosine - imaginary * sine, real * sine + imaginary * cosine]
        return torch.stack(turned, 2).reshape(x.shape)


def _block(width: int, ratio: int, separable: bool) -> nn.Module:
    norms = nn.GroupNorm(1, width, _EPS), nn.GroupNorm(1, width, _EPS)
    return nn.Sequential(
        Residual(nn.Sequential(norms[0], SpatialMixer(width, separable)), width),
        Residual(nn.Sequential(norms[1], WaveMixer(width, ratio, separable)), width),
    )


def spartan(sizes: SpartanSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, sizes.widths, strict=True)):
        patches = [conv(sizes.widths[i - 1], width, 2, 2, bias=False), nn.BatchNorm2d(width, _EPS), nn.SiLU()]  # fmt: skip
        first = [_conv(3, width // 2, 3, 2, 1), _conv(width // 2, width, 3, 2, 1)]
        blocks = [_block(width, sizes.ratios[i], i >= len(sizes.depths) // 2) for _ in range(depth)]
        stages.append([*(patches if i else first), *blocks])
    return pyramid(stages, Classifier(sizes.widths[-1], classes))


SPARTAN = {"t": SpartanSizes()}
