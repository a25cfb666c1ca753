"""Outliers that a net's function does not need are gone before its ranges are chosen."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.half import in_float16
from edgevit.graph.parity import distance
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.prepare import prepare
from edgevit.quantize.recording import run_looking
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


def test_a_channel_that_was_silent_while_calibrating_does_not_widen_the_range() -> None:
    """Squeeze-and-excite has one number a channel and picture: a few pictures leave some at zero."""
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.cat([torch.eye(4), 0.01 * torch.eye(4)]))
        net[0].bias.zero_()
        net[2].weight[:, 4:] *= 100
    generator = torch.Generator().manual_seed(0)
    seen = [torch.rand(1, 4, generator=generator) for _ in range(16)]
    for x in seen:
        x[0, 3] = 1e-4 - x[0, 3]  # the last hidden channels stay near zero
    program, _ = engine.run(captured_of(net, seen[0]), STANDARD)
    calibration = Calibration(tuple((x,) for x in seen), "vectors")
    prepared = prepare(program, calibration)
    assert any(method.taken for method in prepared.methods)
    loud = torch.ones(1, 4)
    peaks = list[float]()

    def look(node: Node, result: torch.Tensor) -> None:
        if kind(node) == "relu":
            peaks.append(float(result.max()))

    run_looking(prepared.program, [(loud,)], look)
    assert max(peaks) < 10  # 4,096 where such a channel is equalised in full


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
