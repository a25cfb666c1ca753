"""Outliers that a net's function does not need are gone before its ranges are chosen."""

from __future__ import annotations

import pytest
import torch

from edgevit.graph.aten import kind
from edgevit.graph.half import in_float16
from edgevit.graph.parity import distance
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.prepare import prepare
from edgevit.quantize.run import plain_simulation, quantize_program
from edgevit.quantize.scheme import QuantScheme
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from tests.fuzzed.fresh import captured_of
from tests.quantize import bed

RUNS = 64
JUDGED = 100


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["vit", "conv", *(pytest.param(name, marks=pytest.mark.long) for name in ("hybrid", "mvit"))],
)
def test_a_net_with_outliers_keeps_its_accuracy_in_integers(name: str) -> None:
    train, _ = bed.pictures("train")
    images, labels = (part[:JUDGED] for part in bed.pictures("test"))
    net = bed.net(name, injected=True)
    program, _ = engine.run(captured_of(net, train[:1]), STANDARD)
    calibration = Calibration(tuple((image[None],) for image in train[:RUNS]), "digits")

    def right(run: object) -> int:
        answers = torch.cat([run((image[None],))[0] for image in images])  # type: ignore[operator]
        return int((answers.argmax(1) == labels).sum())

    prepared = prepare(program, calibration)
    quantized = quantize_program(prepared.program, calibration, QuantScheme())
    assert quantized.report.held_out_snr > 25
    assert right(quantized.program.run) >= right(program.run) - 1
    plain = plain_simulation(program, calibration.inputs[:RUNS:2], QuantScheme())
    if name != "mvit":  # which survives without
        assert right(plain.run) < right(program.run) - JUDGED // 5


def test_each_change_is_exact_in_floats() -> None:
    train, _ = bed.pictures("train")
    program, _ = engine.run(captured_of(bed.net("vit", injected=True), train[:1]), STANDARD)
    calibration = Calibration(tuple((image[None],) for image in train[:16]), "digits")
    prepared = prepare(program, calibration)
    assert any(method.taken for method in prepared.methods)
    for image in train[16:24]:
        expected, actual = program.run((image[None],))[0], prepared.program.run((image[None],))[0]
        assert torch.allclose(expected, actual, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert {kind(node) for node in prepared.program.calls()} & {"linear", "conv2d"}


@pytest.mark.parametrize("name", ["vit", "registers"])
def test_what_float16_loses_beside_a_large_mean_is_taken_off_the_weights(name: str) -> None:
    """Norms stay norms: their squares in pieces overflow float16."""
    train, _ = bed.pictures("train")
    program, _ = engine.run(captured_of(bed.net(name, injected=True), train[:1]), STANDARD)
    calibration = Calibration(tuple((image[None],) for image in train[:16]), "digits")
    prepared = prepare(program, calibration).program
    kinds = [
        [kind(node) for node in one.calls()].count("layer_norm") for one in (program, prepared)
    ]
    assert kinds[0] == kinds[1] > 0
    expected = program.run((train[20:21],))
    assert distance(expected, in_float16(prepared).run((train[20:21],))).rel_l2 < 0.01
