"""Rows in order of a score: equal scores may change places, and nothing else may."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import PackageError
from edgevit.exported.golden import load_golden, load_others, load_rankings, save_golden
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.other_inputs import Other, other_inputs
from edgevit.graph.parity import FP16, FP32, Ranking, distance
from edgevit.graph.program import Program
from edgevit.graph.ranking import compared, rankings_of, with_rankings

BEST = 12


class Boxes(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        scores = x[..., 4:].sigmoid()
        best, places = scores.amax(-1).topk(BEST)
        rows = torch.gather(x, 1, places[..., None].expand(-1, -1, 7))
        order = torch.argsort(x[..., 0], dim=-1, descending=True)[:, :9]
        return [rows[..., :4], best, x.mean(1), torch.gather(x[..., 1], 1, order)]


@pytest.fixture(scope="module")
def program() -> Program:
    x = torch.randn(2, 40, 7, generator=torch.Generator().manual_seed(0))
    x[:, 10:16, 4:] = 5.0  # six boxes as good as each other
    return capture(resolve(Boxes(), (x,)))


def swapped(outputs: tuple[torch.Tensor, ...], one: int, other: int) -> list[torch.Tensor]:
    places = torch.arange(BEST)
    places[one], places[other] = other, one
    return [x[:, places] if x.shape[1] == BEST else x for x in outputs]


def test_each_output_has_the_scores_that_order_it(program: Program) -> None:
    boxes, values = rankings_of(program, program.inputs)
    assert (boxes.outputs, values.outputs) == ((0, 1), (3,))
    assert torch.equal(boxes.scores.float(), program.run()[1])
    assert values.scores.shape == (2, 9) and bool((values.scores.diff() <= 0).all())


def test_rows_of_equal_scores_change_places(program: Program) -> None:
    outputs, rankings = program.run(), rankings_of(program, program.inputs)
    theirs = swapped(outputs, 0, 4)
    assert not FP32.holds(distance(outputs, theirs))
    moved, notes = compared(outputs, theirs, rankings, FP32)
    assert moved.rel_l2 == 0 and "of 24 rows are in another order" in notes[0]
    assert compared(outputs, outputs, rankings, FP32) == (distance(outputs, outputs), ())


@pytest.mark.parametrize("limit", [FP32, FP16])
def test_other_rows_do_not(program: Program, limit) -> None:
    outputs, rankings = program.run(), rankings_of(program, program.inputs)
    for theirs in (
        swapped(outputs, 0, BEST - 1),  # the best for the worst
        [swapped(outputs, 0, 4)[0], *outputs[1:3], outputs[3].flip(1)],
        [outputs[0].flip(-1), *outputs[1:]],
        [outputs[0] * torch.nan, *outputs[1:]],
        [outputs[0][:, :5], *outputs[1:]],
    ):
        apart, notes = compared(outputs, theirs, rankings, limit)
        assert not limit.holds(apart) and not notes


def test_equal_rows_at_the_cut_are_left_out(program: Program) -> None:
    x = program.inputs[0].clone()
    x[:, 20:30, 4:] = 4.0  # ten for the last six places
    outputs, rankings = program.run((x,)), rankings_of(program, (x,))
    others = x.clone()
    others[:, [21, 22]] = others[:, [28, 29]]  # as good, and not chosen
    theirs = [*program.run((others,))[:2], *outputs[2:]]
    apart, notes = compared(outputs, theirs, rankings, FP32)
    assert FP32.holds(apart) and "4 of 24 rows at the cut" in notes[0]


def test_a_net_without_an_order_has_none() -> None:
    x = torch.randn(1, 4, generator=torch.Generator().manual_seed(0))
    assert rankings_of(capture(resolve(nn.Linear(4, 4), (x,))), (x,)) == ()


def test_an_exported_folder_keeps_the_scores(program: Program, tmp_path: Path) -> None:
    name, inputs = next(iter(other_inputs(program.inputs).items()))
    others = with_rankings(program, [Other(name, inputs, program.run(inputs))])
    rankings = rankings_of(program, program.inputs)
    save_golden(tmp_path, program.inputs, program.run(), others, rankings=rankings)
    for written, read in ((rankings, load_rankings(tmp_path)), (others[0].rankings, load_others(tmp_path)[0].rankings)):  # fmt: skip
        assert [one.outputs for one in read] == [one.outputs for one in written]
        assert all(torch.equal(a.scores, b.scores) for a, b in zip(read, written, strict=True))
    assert len(load_golden(tmp_path)[1]) == 4


@pytest.mark.parametrize("broken", [Ranking(torch.ones(2, 5), (0,)), Ranking(torch.ones(2, BEST), (9,)), Ranking(torch.full((2, BEST), torch.nan), (0,))])  # fmt: skip
def test_scores_that_order_nothing_are_refused(
    program: Program, tmp_path: Path, broken: Ranking
) -> None:
    save_golden(tmp_path, program.inputs, program.run(), rankings=[broken])
    with pytest.raises(PackageError, match="cannot be read") as caught:
        load_rankings(tmp_path)
    assert "does not order rows" in caught.value.why
