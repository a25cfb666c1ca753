"""Where integers leave much noise, and few calls make it, those compute in floats."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends import Artifact
from edgevit.export.stages import PreparedPart, with_notes
from edgevit.graph.aten import kind
from edgevit.graph.program import Program
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.choice import EarlierChoices
from edgevit.quantize.goals import MixedGoal
from edgevit.quantize.prepare import Prepared
from edgevit.quantize.run import quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.stage import MixedRequest
from edgevit.quantize.trial import EarlierFloats, EarlierWay
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from tests.fuzzed.fresh import captured_of

SCHEME = replace(QuantScheme(), float_worst=True)


class Difference(nn.Module):
    """The output is a small difference of two large numbers, which 8 bits do not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU())
        self.pair, self.last = nn.Linear(64, 2), nn.Linear(2, 1)
        with torch.no_grad():
            self.pair.weight[1] = self.pair.weight[0]
            self.pair.weight[0, :8] += 0.1
            self.pair.weight *= 100
            self.pair.bias.fill_(1000)
            self.last.weight.copy_(torch.tensor([[1.0, -1.0]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.pair(self.body(x).mean((2, 3))).relu())


@pytest.fixture(scope="module")
def problem() -> tuple[Program, Calibration]:
    torch.manual_seed(0)
    pictures = torch.randn(16, 3, 12, 12) * torch.rand(16, 1, 1, 1)
    program, _ = engine.run(captured_of(Difference().eval(), pictures[:1]), STANDARD)
    return program, Calibration(tuple((x[None],) for x in pictures), "pictures")


def test_few_calls_that_make_the_noise_compute_in_floats(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    plain = quantize_program(program, calibration, QuantScheme())
    helped = quantize_program(program, calibration, SCHEME)
    assert plain.report.held_out_snr < 20
    assert helped.report.held_out_snr >= plain.report.held_out_snr + 3
    kinds = {kind(node) for node in program.calls() if node.name in helped.types}
    assert kinds == {"linear"}  # the convolutions have nearly all weights and products
    assert {island.call for island in helped.report.islands} >= set(helped.types)


def test_less_is_worth_it_where_noise_is_loud(
    problem: tuple[Program, Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, calibration = problem
    run = import_module("edgevit.quantize.run")
    monkeypatch.setattr(run, "_WORTH", 99.0)
    monkeypatch.setattr(run, "_LOUD", 20.0)
    assert quantize_program(program, calibration, SCHEME).types
    monkeypatch.setattr(run, "_LOUD", 0.0)
    assert not quantize_program(program, calibration, SCHEME).types


def test_noise_as_calibration_takes_no_call_out(problem: tuple[Program, Calibration]) -> None:
    program, calibration = problem
    assert not quantize_program(program, calibration, SCHEME, compensates=False).types


def test_the_next_format_has_the_same_calls_in_floats(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    earlier = EarlierChoices()
    first, second = (
        quantize_program(program, calibration, SCHEME, earlier=earlier) for _ in range(2)
    )
    assert first.types == second.types != {}
    assert torch.equal(
        first.program.run(calibration.inputs[0])[0], second.program.run(calibration.inputs[0])[0]
    )


def test_a_format_with_other_integers_tries_the_same_calls_in_floats_first(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    earlier = EarlierChoices()
    first = quantize_program(program, calibration, SCHEME, earlier=earlier)
    fewer = replace(SCHEME, objection=lambda node, _: "slow" if node.name == "conv2d" else None)
    second = quantize_program(program, calibration, fewer, earlier=earlier)
    assert len(second.placement.calls) < len(first.placement.calls)
    assert second.types == first.types
    floats, way, *more = second.report.methods
    assert (
        floats.name == "the worst calls in floats"
        and floats.after >= first.report.held_out_snr - 0.5
    )
    assert way.name == "the way that was best for another format" and not more


def test_a_format_without_such_a_call_searches_its_own(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    earlier = EarlierChoices()
    first = quantize_program(program, calibration, SCHEME, earlier=earlier)
    fewer = replace(SCHEME, integer=frozenset({"conv2d"}))
    second = quantize_program(program, calibration, fewer, earlier=earlier)
    assert first.types and not second.types
    assert second.report.methods[0].name != "the worst calls in floats"


def test_calls_that_are_not_few_here_stay_in_integers(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    earlier, way = EarlierChoices(), EarlierWay("min-max", False, 0.0)
    floats = EarlierFloats(frozenset({"conv2d_1"}), way)  # nearly all weights and products
    earlier.add_way(SCHEME, way._replace(floats=floats))
    assert "conv2d_1" not in quantize_program(program, calibration, SCHEME, earlier=earlier).types


def test_a_noisy_file_says_so_and_names_what_keeps_more(
    problem: tuple[Program, Calibration],
) -> None:
    program, calibration = problem
    _, report = engine.run(program, ())
    part = PreparedPart(
        Prepared(program, (), calibration), report, {}, MixedRequest(MixedGoal(None))
    )
    artifact = Artifact("tflite", "int8", Path("model.tflite"), {})

    def notes(scheme: QuantScheme) -> str:
        quantized = quantize_program(program, calibration, scheme)
        return " ".join(with_notes(artifact, quantized, part, None).notes)

    assert "may change answers" in notes(QuantScheme())
    assert "--precision mixed" in notes(QuantScheme())
    assert "may change answers" not in notes(replace(QuantScheme(), activations="int16"))
