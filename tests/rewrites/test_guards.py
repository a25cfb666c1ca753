"""What PyTorch defines and kernels do not: negative places, shifts beyond the last bit, tails of erfc."""

from __future__ import annotations

import pytest
import torch

from edgevit.graph.parity import distance
from edgevit.rewrites.arithmetic.expand_erfc import ExpandErfc
from edgevit.rewrites.arithmetic.guard_shifts import GuardShifts
from edgevit.rewrites.arithmetic.wrap_indices import WrapIndices
from tests.rewrites.checking import Call, check_rewrite

X = torch.randn(5, 6)
WHOLE, BITS = torch.tensor([5, -5, 7, -9, 3]), torch.tensor([-3, 70, 63, 64, 2])


def test_erfc_keeps_its_tail() -> None:
    x = torch.linspace(-9, 9, 1001)
    after = check_rewrite(ExpandErfc(), Call(lambda s, x: torch.erfc(x)), x, fires=1)
    exact = torch.erfc(x.double())
    assert ((after.run()[0] - exact).abs() / exact).max() < 2e-5


def test_computed_places_are_wrapped() -> None:
    net = Call(lambda s, x: x[(x[:, 0] * 9).long() % 9 - 4, torch.arange(5)], places=WHOLE)
    check_rewrite(WrapIndices(), net, X, fires=1)


@pytest.mark.parametrize(
    "places",
    [lambda s, x: x.argmax(1) % 5, lambda s, x: s.places, lambda s, x: x[:, 0].long().clamp(0, 4)],
)
def test_places_that_cannot_be_negative_stay(places) -> None:
    net = Call(lambda s, x: x[places(s, x), s.places], places=torch.arange(5))
    check_rewrite(WrapIndices(), net, X, fires=0)


@pytest.mark.parametrize("shift", [torch.bitwise_left_shift, torch.bitwise_right_shift])
def test_shifts_beyond_the_last_bit(shift) -> None:
    net = Call(lambda s, x, n: shift(x, n))
    after = check_rewrite(GuardShifts(), net, WHOLE, BITS, fires=1)
    assert distance((shift(WHOLE, BITS),), after.run()).rel_l2 == 0


def test_shifts_within_the_bits_stay() -> None:
    check_rewrite(GuardShifts(), Call(lambda s, x, n: x << (n % 8)), WHOLE, BITS, fires=0)
