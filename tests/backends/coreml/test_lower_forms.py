"""Mixers and pools that Core ML has no operation for, or one that leaves the range of float16."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.coreml.lower import lower
from edgevit.backends.coreml.rules import RULES
from edgevit.frontend.capture import capture
from edgevit.rewrites import engine
from tests.backends.coreml.lowering import far, source_of

X = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))


class Forms(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        wave = torch.complex(torch.ones(6, 5), torch.ones(4, 6, 1))
        large = (x * 30).clamp(min=1e-6)  # its cube is infinite in float16
        return [
            F.normalize(x, dim=1),
            F.adaptive_avg_pool2d(large.pow(3.0), 1).pow(1 / 3.0),
            large.pow(3).mean((2, 3)).pow(1 / 3),
            # windows that overlap: the definition of each has a stack, of six axes here
            x.unfold(2, 4, 2).unfold(3, 4, 2).reshape(2, 2, 6, 16).permute(0, 2, 3, 1).softmax(-1),
            torch.fft.fft2(x.flatten(2), norm="ortho").real,
            torch.fft.irfft2(torch.fft.rfft2(x, norm="ortho") * wave, norm="ortho"),
        ]


def error(module: nn.Module, precision: Literal["fp16", "fp32"], folder: Path) -> float:
    """Relative L2 of the module's package."""
    source = source_of(module, X)
    program, _ = engine.run(capture(source), RULES)
    artifact = lower(
        program, source, minimum_os="iOS17", precision=precision, directory=folder / precision
    )
    return far(program, artifact.path, precision).rel_l2


def test_in_both_precisions(tmp_path: Path) -> None:
    assert error(Forms(), "fp32", tmp_path) < 1e-5
    assert error(Forms(), "fp16", tmp_path) < 3e-3


class Indexed(nn.Module):
    """Bits of integers, transposed convolutions beyond their padding, writes at computed places, slices of six axes."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 2, 3, 3, output_padding=1)
        self.up_beside = nn.ConvTranspose2d(4, 2, (3, 5), (3, 2), (0, 1), output_padding=(2, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        places = (x[0, :, 0] * 8).long()
        rows, columns = places.clamp(-4, 3)[:, :1], places.clamp(0, 5)
        written = x[0].clone()
        written[rows, columns] = -1.0
        six = x.view(1, 4, 3, 2, 2, 4)
        grid = (x[:, :2] / 2).permute(0, 2, 3, 1)
        return [
            torch.stack([places & 6, places | 5, places ^ 3, places >> 1, places << 2, ~places]).float(),
            self.up(x),
            self.up_beside(x),
            written,
            six[..., 0] * six[..., 1].tanh() + six[..., 2:].sum(-1),
            F.grid_sample(x, grid, padding_mode="reflection", align_corners=True),
            F.adaptive_avg_pool3d(x[None], (2, 3, 3)),
            x.masked_scatter(x > 0, x.flip(3)),
            torch.cat([*torch.kthvalue(x[0, 0], 3), *x[0, 1].median(0)]).float(),
        ]  # fmt: skip


def test_writes_bits_and_outputs_beyond_a_padding(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert error(Indexed(), "fp32", tmp_path) < 1e-5


class Functions(nn.Module):
    """Calls that coremltools reads as others: without their correction, in integers, of the first axis."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [
            x.var(),
            (x * 0.1).any(-1).float(),
            torch.masked_fill(x, x > 0, 10),
            x.argmax().float(),
            x[0, 0].diagonal(1),
            torch.atan2(x.round(), x.flip(-1).round()),
            (x * 4).to(torch.int64).exp2(),
            F.avg_pool2d(x, 3, 2, 1, True, True, 2),
            F.pad(x, (-1, 1, -2, 1), mode="circular"),
            F.conv_transpose2d(x[0], torch.ones(4, 2, 3, 3)),
            torch.remainder(x * 3, 1),
            x.cumsum(-2),
            torch.zeros_like(x > 0, dtype=torch.float32).masked_fill(x > 0, -1.5),
            x[:1, :1, :1, :1].squeeze() * x[0, 0, 0],
            x.amax((1, 2, 3)).reshape(()),
            torch.sort(x.round().flatten(1), stable=True, dim=-1)[1],
            F.adaptive_max_pool3d(x, (3, 4, 3)),
        ]


def test_functions_that_are_misread(tmp_path: Path) -> None:
    assert error(Functions(), "fp32", tmp_path) < 1e-5


class Repeated(nn.Module):
    """Scales of more channels than are scaled, and parts of a stack that keep their axis."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        channels = torch.arange(1.0, 5).reshape(4, 1, 1)
        first, second, _ = torch.stack((x, x + 1, x + 2), 2).split(1, 2)
        again = torch.stack((x, x + 3)).split(1)
        return [
            x[:, :1] * channels + channels,
            x * channels + torch.ones(1, 1, 1),
            x * channels + channels,
            first * 2,
            second.squeeze(2),
            *(part.squeeze(0) * 3 for part in again),
        ]


def test_passes_that_fail_on_what_is_repeated(tmp_path: Path) -> None:
    assert error(Repeated(), "fp32", tmp_path) < 1e-6
