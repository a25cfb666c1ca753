"""Whole numbers beyond 2^31 that a model computes: refused where the format has 32 bits; what is small passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from edgevit.backends.whole_numbers import refuse_wide_integers
from edgevit.errors import UnsupportedOpError
from tests.fuzzed.fresh import LIBRARIES, Call, captured_of, departures, lowered

X = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(6)[None]
Net = Callable[..., torch.Tensor]


def pixels(x: torch.Tensor) -> torch.Tensor:
    return (x * 255).round().long()


WIDE: dict[str, Net] = {
    "energy": lambda s, x: (pixels(x) * pixels(x)).sum((1, 2, 3)).float(),
    "square": lambda s, x: (pixels(x) ** 2).float(),
    "cumsum": lambda s, x: pixels(x).flatten().cumsum(0).float(),
    "sum": lambda s, x: pixels(x).flatten().sum(0).float(),
    "product": lambda s, x: pixels(x).prod(1).float(),
    "matmul": lambda s, x: (pixels(x) @ pixels(x).mT).float(),
    "shift": lambda s, x: (pixels(x) << 12).float(),
    "int32": lambda s, x: (x * 255).int().sum((1, 2, 3)).float(),
    "clamped energy": lambda s, x: (
        pixels(x).clamp(0, 255).square().expand(1024, 3, 16, 16).sum().float()
    ),
}
SMALL: dict[str, Net] = {
    "clamped": lambda s, x: (pixels(x).clamp(0, 255) ** 2).sum((1, 2, 3)).float(),
    "of a sigmoid": lambda s, x: pixels(x.sigmoid()).square().sum((1, 2, 3)).float(),
    "count": lambda s, x: (x > 0.5).sum((1, 2, 3)).float(),
    "places": lambda s, x: (
        x.flatten(2).argmax(-1) * 100 + x.flatten(2).topk(2)[1][..., 1]
    ).float(),
    "a grid by hand": lambda s, x: x.flatten(2).index_select(
        2, (pixels(x[0, 0]).clamp(0, 15) * 16 + torch.arange(16)).flatten()
    ),
    "halves": lambda s, x: ((pixels(x) // 2 + 1) % 7 * 3).float(),
    "one hot": lambda s, x: F.one_hot(x.argmax(-1), 16).sum(1).cumsum(1).float(),
    "a remainder": lambda s, x: (pixels(x) % 64).cumsum(-1).float(),
}


@pytest.mark.parametrize("name", WIDE)
def test_what_may_be_wide_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(UnsupportedOpError, match="32-bit integers") as refused:
        refuse_wide_integers(captured_of(Call(WIDE[name]), X), "TFLite")
    assert ".py:" in refused.value.where
    assert "clamp" in refused.value.hint


@pytest.mark.parametrize("name", SMALL)
def test_what_is_small_passes(name: str) -> None:
    refuse_wide_integers(captured_of(Call(SMALL[name]), X), "TFLite")


@pytest.mark.parametrize(
    "function",
    [
        lambda s, ids: (ids != 0).long().cumsum(1) * (ids != 0),
        lambda s, ids: ids.cumsum(1).clamp(0, 5),
        lambda s, ids: s.table[ids * 2 % 6],
    ],
)
def test_ids_masks_and_positions_pass(function: Net) -> None:
    refuse_wide_integers(captured_of(Call(function, table=torch.randn(6, 4)), IDS), "TFLite")


@pytest.mark.parametrize("format", LIBRARIES)
def test_is_refused_or_right_on_a_bright_picture(format: str, tmp_path: Path) -> None:
    pytest.importorskip(LIBRARIES[format])
    x = torch.rand(1, 3, 64, 64) * 0.5
    net = Call(lambda s, x: (pixels(x) * pixels(x)).sum((1, 2, 3)).float().sqrt())
    if format in {"tflite", "coreml"}:
        with pytest.raises(UnsupportedOpError, match="32-bit integers"):
            lowered(format, net, (x,), tmp_path)
        return
    artifact, captured = lowered(format, net, (x,), tmp_path)
    assert not departures(artifact, captured, (x,))
