"""Nets that passed on their example and were wrong on other inputs: exact on all of them now, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.fuzzed.fresh import FORMATS, LIBRARIES, departures, lowered
from tests.tiers import in_some_formats

X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 3


class Tokens(nn.Module):
    """A function of 64 tokens of 8 channels."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.function = nn.Conv2d(3, 8, 2, 2), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.conv(x).flatten(2).mT.unsqueeze(1))


def of_rows(t: torch.Tensor) -> torch.Tensor:
    seen = t.amax(-1) > 0.2
    mask = seen[..., None] & seen[..., None, :]
    return F.scaled_dot_product_attention(t, t, t, attn_mask=mask)


def added(t: torch.Tensor) -> torch.Tensor:
    seen = t.amax(-1) > 0.2
    mask = torch.zeros(1, 1, 64, 64).masked_fill(
        ~(seen[..., None] & seen[..., None, :]), -torch.inf
    )
    return F.scaled_dot_product_attention(t, t, t, attn_mask=mask)


def of_a_constant(t: torch.Tensor) -> torch.Tensor:
    mask = (torch.arange(64) % 3 > 0)[:, None].expand(64, 64)
    return F.scaled_dot_product_attention(t, t, t, attn_mask=mask)


MASKED = {f.__name__: f for f in (of_rows, added, of_a_constant)}


@pytest.mark.parametrize(("name", "format"), list(in_some_formats(MASKED, FORMATS)))
def test_attention_that_sees_nothing(name: str, format: str, tmp_path: Path) -> None:
    pytest.importorskip(LIBRARIES[format])
    artifact, captured = lowered(format, Tokens(MASKED[name]), (X,), tmp_path)
    assert not departures(artifact, captured, (X,))


@pytest.mark.parametrize("format", FORMATS)
def test_a_softmax_of_a_closed_row_stays_nan(format: str, tmp_path: Path) -> None:
    """By hand a row of minus infinities is NaN, which no attention gives."""
    pytest.importorskip(LIBRARIES[format])

    def by_hand(t: torch.Tensor) -> torch.Tensor:
        bias = torch.zeros(1, 1, 64, 64).masked_fill((t.amax(-1) < 0.2)[..., None], -torch.inf)
        return (t @ t.mT + bias).softmax(-1) @ t

    bright = X.abs() + 5
    net = Tokens(by_hand)
    artifact, captured = lowered(format, net, (bright,), tmp_path)
    assert not departures(artifact, captured, (bright,))


class Features(nn.Module):
    """A function of what a convolution with one tap gives."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.function = nn.Conv2d(3, 4, 1), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.conv(x))


LOGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "log_softmax": lambda h: F.log_softmax(h.mean((2, 3)) * 4, 1),
    "logsigmoid": F.logsigmoid,
    "bce": lambda h: F.binary_cross_entropy_with_logits(h, h.sigmoid(), reduction="none"),
    "weighted bce": lambda h: F.binary_cross_entropy_with_logits(
        h, (h > 0).float(), h.abs(), pos_weight=torch.tensor(2.0)
    ),
    "logaddexp": lambda h: torch.logaddexp(h[:, :2], h[:, 2:]),
    "logaddexp2": lambda h: torch.logaddexp2(h[:, :2], h[:, 2:]),
    "logcumsumexp": lambda h: torch.logcumsumexp(h, 2),
}


@pytest.mark.parametrize("name", LOGS)
def test_logarithms_of_exponentials_on_core_ml(name: str, tmp_path: Path) -> None:
    """In float16, which ships, and at full precision."""
    pytest.importorskip("coremltools")
    for precision in ("fp32", "fp16"):
        (folder := tmp_path / precision).mkdir()
        artifact, captured = lowered("coreml", Features(LOGS[name]), (X / 3,), folder, precision)
        # 1 - sigmoid(h) is all rounding in float16 where h is large
        skip = ["randn + 100"] if "bce" in name and precision == "fp16" else []
        assert not departures(artifact, captured, (X / 3,), skip)


@pytest.mark.parametrize("format", ["onnx", "tflite", "executorch"])
def test_logarithms_of_exponentials(format: str, tmp_path: Path) -> None:
    """All in one net, each an output."""
    pytest.importorskip(LIBRARIES[format])
    net = Features(lambda h: tuple(function(h) for function in LOGS.values()))  # type: ignore[arg-type,return-value]
    artifact, captured = lowered(format, net, (X / 3,), tmp_path)
    assert not departures(artifact, captured, (X / 3,))


@pytest.mark.parametrize("format", FORMATS)
def test_the_tail_of_erfc(format: str, tmp_path: Path) -> None:
    pytest.importorskip(LIBRARIES[format])
    net = Features(lambda h: torch.log(torch.erfc(h.abs()) + 1e-30) + torch.erfc(h))
    artifact, captured = lowered(format, net, (X / 3,), tmp_path)
    assert not departures(artifact, captured, (X / 3,))


def test_places_that_turn_negative_on_core_ml(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")

    def choose(h: torch.Tensor) -> torch.Tensor:
        places = (h[0, 0, 0, :6] * 0.5).round().clamp(-4, 3).long()
        return h[0].flatten(1)[places, torch.arange(6)]

    bright = X.abs() * 0.1
    net = Features(choose)
    nn.init.constant_(net.conv.weight, 0.5)
    artifact, captured = lowered("coreml", net, (bright,), tmp_path)
    assert not departures(artifact, captured, (bright,))


def test_shifts_out_of_range_on_executorch(tmp_path: Path) -> None:
    pytest.importorskip("executorch")

    def shift(h: torch.Tensor) -> torch.Tensor:
        whole, bits = (h[:, :2] * 10).round().long(), h[:, 2:].round().clamp(-9, 99).long()
        return torch.cat([(whole << bits).float(), (whole >> bits).float()])

    near = X * 0.01
    artifact, captured = lowered("executorch", Features(shift), (near,), tmp_path)
    assert not departures(artifact, captured, (near,), skip=["randn * 1e3"])
