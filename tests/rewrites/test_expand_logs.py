"""Logarithms of exponentials, on numbers whose exponentials are none."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from edgevit.graph.parity import distance
from edgevit.rewrites.arithmetic.expand_logs import ExpandLogs
from tests.rewrites.checking import Call, check_rewrite

WHICH = {
    "log_softmax": lambda s, x: F.log_softmax(x, -1),
    "log_sigmoid": lambda s, x: F.logsigmoid(x),
    "bce": lambda s, x: F.binary_cross_entropy_with_logits(x, (x > 0).float()),
    "bce_sum": lambda s, x: F.binary_cross_entropy_with_logits(x, x.sigmoid(), reduction="sum"),
    "logaddexp": lambda s, x: torch.logaddexp(x, x.flip(-1)),
    "logaddexp2": lambda s, x: torch.logaddexp2(x, x.flip(-1)),
    "logcumsumexp": lambda s, x: torch.logcumsumexp(x, -1),
}


@pytest.mark.parametrize("name", WHICH)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e4])
def test_keeps_its_digits(name: str, scale: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 7) * scale
    after = check_rewrite(ExpandLogs(), Call(WHICH[name]), x, fires=1)
    assert distance((WHICH[name](None, x),), after.run()).rel_l2 <= 2e-6


def test_small_losses_are_not_lost() -> None:
    x = torch.full((4,), 20.0)
    after = check_rewrite(ExpandLogs(), Call(WHICH["log_sigmoid"]), x, fires=1)
    assert after.run()[0][0].item() == pytest.approx(-math.exp(-20), rel=1e-5)


def test_equal_infinities_add_up_to_themselves() -> None:
    net = Call(lambda s, x: torch.logaddexp(torch.where(x > 0, x, -math.inf), s.never), never=torch.full((2,), -math.inf))  # fmt: skip
    after = check_rewrite(ExpandLogs(), net, torch.tensor([1.0, -1.0]), fires=1)
    assert after.run()[0].tolist() == [1.0, -math.inf]


def test_what_the_runtime_has_stays() -> None:
    check_rewrite(ExpandLogs("log_softmax.int"), Call(WHICH["log_softmax"]), torch.randn(2, 3))
