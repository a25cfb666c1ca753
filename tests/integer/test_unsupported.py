"""Firmware names each call that it has no integers for, with its line and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgevit
from edgevit import CalibrationOptions
from edgevit.errors import UnsupportedOpError


@torch.library.custom_op("edgevit_firmware_tests::scan", mutates_args=())
def scan(x: torch.Tensor) -> torch.Tensor:
    return x.cumprod(1)


@scan.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Own(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scan(x)


class RunningProduct(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumprod(1)


@pytest.mark.parametrize(
    ("last", "name", "way_out"),
    [
        (Own(), "`edgevit_firmware_tests::scan`", "--replace 1="),
        (RunningProduct(), "`cumprod`", "write this line with other ops"),
    ],
)
def test_a_refusal_names_the_call_and_a_way_out(
    last: nn.Module, name: str, way_out: str, tmp_path: Path
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), last).eval()
    with pytest.raises(UnsupportedOpError, match=name) as refusal:
        edgevit.export(
            net,
            (torch.randn(1, 3, 8, 8),),
            target="qemu-m4",
            output=tmp_path / "o",
            calibration=CalibrationOptions("generated"),
        )
    assert "test_unsupported.py:" in refusal.value.where
    assert way_out in refusal.value.hint
