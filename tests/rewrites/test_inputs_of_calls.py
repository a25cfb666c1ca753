"""Calls on what converters do not expect: integers where floats are meant, a picture without a batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from edgevit.rewrites.arithmetic.promote_integers import PromoteIntegers
from edgevit.rewrites.convolutions.add_batch import AddBatch
from tests.rewrites.checking import Call, check_rewrite

INTEGERS = torch.tensor([[1, 2, 5], [7, 3, 9]])
PICTURE = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
TAPS = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1))
FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "sqrt": lambda s, x: x.sqrt(),
    "div": lambda s, x: x / (x + 1),
    "atan2": lambda s, x: torch.atan2(x, x.flip(1)),
    "logsumexp": lambda s, x: torch.logsumexp(x, 1),
    "exp of booleans": lambda s, x: (x > 2).exp(),
}
WINDOWED: dict[str, Callable[..., torch.Tensor]] = {
    "conv": lambda s, x: F.conv2d(x, s.taps, padding=1),
    "transposed": lambda s, x: F.conv_transpose2d(x, s.taps, stride=2),
    "average": lambda s, x: F.avg_pool2d(x, 2),
    "maximum": lambda s, x: F.max_pool2d(x, 3, 1, 1),
    "adaptive": lambda s, x: F.adaptive_avg_pool2d(x, 3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_are_promoted(name: str) -> None:
    check_rewrite(PromoteIntegers(), Call(FUNCTIONS[name]), INTEGERS, fires=1)


def test_floats_and_whole_results_stay() -> None:
    check_rewrite(PromoteIntegers(), Call(lambda s, x: x.abs().sqrt()), PICTURE)
    check_rewrite(PromoteIntegers(), Call(lambda s, x: torch.div(x, 2, rounding_mode="floor")), INTEGERS)  # fmt: skip


@pytest.mark.parametrize("name", WINDOWED)
def test_a_lone_picture_is_a_batch_of_one(name: str) -> None:
    check_rewrite(AddBatch(), Call(WINDOWED[name], taps=TAPS), PICTURE, fires=1)


def test_a_batch_stays() -> None:
    check_rewrite(AddBatch(), Call(WINDOWED["conv"], taps=TAPS), PICTURE[None])
