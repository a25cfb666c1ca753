"""How much noisier than its simulation a file may be."""

from __future__ import annotations

import pytest
import torch

from edgevit.quantize.held_out import HeldOut, file_parity, independent_numbers

RUNS = 16


def noise(outputs: int, seed: int) -> torch.Tensor:
    return torch.randn(RUNS, outputs, generator=torch.Generator().manual_seed(seed))


def limit(simulated: torch.Tensor, scale: float = 0.2) -> float:
    """Return the limit as a multiple of the simulation's noise."""
    zero = torch.ones_like(simulated[:1])
    runs = [HeldOut((), (zero,), (zero + scale * one,)) for one in simulated.split(1)]
    parity = file_parity(runs, [run.simulated for run in runs], "int8", "runtime")
    return parity.limit.max_rel_l2 / parity.distance.rel_l2


@pytest.mark.parametrize("outputs", [4, 1000])
def test_independent_errors_are_counted(outputs: int) -> None:
    assert independent_numbers(noise(outputs, 0)) == pytest.approx(RUNS * outputs, rel=0.4)


def test_errors_along_one_line_are_one_number_each() -> None:
    line = noise(1, 0) * torch.linspace(-1, 1, 50)
    assert independent_numbers(line) == pytest.approx(RUNS, rel=0.6)


def test_many_outputs_leave_nothing_to_chance() -> None:
    assert limit(noise(1000, 0)) == pytest.approx(10 ** (1.5 / 20))


def test_few_outputs_may_differ_by_chance_and_at_most_by_twice_the_noise() -> None:
    assert 10 ** (1.5 / 20) < limit(noise(6, 0)) < 2**0.5
    assert limit(noise(1, 0)) == pytest.approx(10 ** (3 / 20))
    assert limit(noise(1, 0), 0.01) == pytest.approx(10 ** (6 / 20))
    assert limit(noise(1000, 0), 0.01) == pytest.approx(10 ** (1.5 / 20))


def test_an_output_of_one_number_has_a_limit() -> None:
    assert independent_numbers(noise(1, 0)[:, 0]) == pytest.approx(RUNS, rel=0.6)


def test_two_roundings_of_few_numbers_agree_within_the_limit() -> None:
    ratios = [
        noise(6, 2 * i).norm() / noise(6, 2 * i + 1).norm() / limit(noise(6, 2 * i + 1))
        for i in range(200)
    ]
    assert sum(ratio > 1 for ratio in ratios) <= 2


def test_one_run_and_no_noise_say_nothing() -> None:
    for errors in (noise(10, 0)[:1], torch.zeros(RUNS, 10), noise(10, 0) * torch.inf):
        assert independent_numbers(errors) == float("inf")
