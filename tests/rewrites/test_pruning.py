"""Heads and hidden channels that go: what is left is fitted, and what cannot be taken apart stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import edgevit
from edgevit.errors import CalibrationError
from edgevit.graph.aten import kind
from edgevit.graph.program import Program, shape
from edgevit.quantize import CalibrationOptions
from edgevit.rewrites.lossy.fewer_inputs import fewer_inputs
from edgevit.rewrites.lossy.input_moments import InputMoments
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import StepReport, apply_lossy
from tests.quantize import bed
from tests.rewrites.checking import Call, program_for
from tests.rewrites.test_lossy import after
from tests.rewrites.token_nets import Tokens, attention, first


def pruned(word: str, net: nn.Module, *runs: torch.Tensor) -> tuple[Program, StepReport]:
    result = apply_lossy(
        program_for(net, runs[0]), parse_lossy(word), samples=lambda: [(run,) for run in runs]
    )
    return result.program, result.steps[0]


def test_what_is_left_is_the_least_squares_fit() -> None:
    torch.manual_seed(0)  # of some mixtures, hardly anything is left to fit
    x, weight, bias = torch.randn(400, 8) @ torch.randn(8, 8), torch.randn(5, 8), torch.randn(5)
    moments = InputMoments()
    moments.add(x)
    fewer = fewer_inputs(weight, bias, moments, torch.arange(8).reshape(4, 2), 3)
    channels = [2 * group + k for group in fewer.groups for k in (0, 1)]
    rows = torch.cat([x[:, channels], torch.ones(400, 1)], 1).double()
    best = torch.linalg.lstsq(rows, (x @ weight.T + bias).double()).solution.T
    torch.testing.assert_close(fewer.weight.double(), best[:, :-1], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(fewer.bias.double(), best[:, -1], rtol=1e-2, atol=1e-2)


class Doubled(nn.Module):
    """Hidden channels of which each is there twice, so that half of them can go for nothing."""

    def __init__(self, conv: bool, gated: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = (lambda i, o: nn.Conv2d(i, o, 1)) if conv else nn.Linear
        self.up, self.gate, self.down = layer(6, 32), layer(6, 32), layer(32, 6)
        self.depthwise = nn.Conv2d(32, 32, 3, 1, 1, groups=32) if conv else nn.Identity()
        self.gated = gated
        with torch.no_grad():
            for layer in (self.up, self.gate, self.depthwise):
                for parameter in layer.parameters():
                    parameter[16:] = parameter[:16]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.gelu(self.depthwise(self.up(x)))
        y = y * self.gate(x) if self.gated else y * torch.sigmoid(y)
        return self.down(y)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("conv", [False, True])
def test_channels_that_are_there_twice_go_for_nothing(conv: bool, gated: bool) -> None:
    net = Doubled(conv, gated).eval()
    runs = [torch.randn(2, 6, 5, 4) if conv else torch.randn(2, 9, 6) for _ in range(6)]
    program, report = pruned("prune-mlp=0.5", net, *runs)
    assert len(report.places) == 1 and report.moved.rel_l2 < 1e-2
    gelus = [shape(node) for node in program.calls() if kind(node) == "gelu"]
    assert gelus[0][1 if conv else -1] == 16


@pytest.mark.parametrize(("word", "maps"), [("prune-heads=1", [2, 2]), ("prune-heads=0.5", None)])
def test_heads_go_with_their_rows_and_columns(word: str, maps: list[int] | None) -> None:
    net = Tokens(first, depth=2)
    with torch.no_grad():
        for block in net.blocks:  # one head's values are those of another
            block.qkv.weight[28:32], block.qkv.bias[28:32] = block.qkv.weight[24:28], block.qkv.bias[24:28]  # fmt: skip
            for part in (block.qkv.weight, block.qkv.bias):
                part[4:8], part[16:20] = part[:4], part[12:16]
    runs = [torch.randn(2, 9, 12) for _ in range(8)]
    program, report = pruned(word, net, *runs)
    heads = [shape(n)[1] for n in program.calls() if kind(n) == "scaled_dot_product_attention"]
    assert heads == maps if maps else sum(heads) == 3
    assert report.macs_after < report.macs_before
    if maps:
        assert report.moved.rel_l2 < 2e-2


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: nn.functional.linear(nn.functional.linear(x, s.w).softmax(-1), s.w), "`softmax` stands between"),
        (lambda s, x: nn.functional.linear((y := nn.functional.linear(x, s.w)).relu(), s.w) + y, "read elsewhere"),
        (lambda s, x: nn.functional.linear(nn.functional.linear(x, s.w).relu() * x.mean(-1, keepdim=True), s.w), "or repeats some"),
    ],
)  # fmt: skip
def test_channels_that_cannot_go_alone_stay(function, why: str) -> None:
    _, report = after("prune-mlp=0.5", Call(function, w=torch.randn(12, 12)), torch.randn(2, 6, 12))
    assert not report.places
    assert any(why in refusal.why for refusal in report.refused)


def test_heads_behind_which_tokens_mix_stay() -> None:
    def mixing(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.linear(x, s.w).reshape(2, 6, 4, 3).transpose(1, 2)
        return nn.functional.linear(attention(y, y, y).reshape(2, 6, 12), s.w)

    net = Call(mixing, w=torch.randn(12, 12))
    _, report = after("prune-heads=1", net, torch.randn(2, 6, 12))
    assert not report.places and "mix channels and tokens" in report.refused[0].why


def test_a_slim_net_costs_at_most_a_point() -> None:
    torch.set_num_threads(1)
    images, labels = bed.pictures("test", 200)
    calibrated = bed.pictures("train", 64)[0]
    before = program_for(bed.net("fine"), images)
    words = parse_lossy("prune-heads=0.25,prune-mlp=0.5")
    result = apply_lossy(before, words, samples=lambda: [(calibrated.repeat(4, 1, 1, 1)[:200],)])
    assert result.steps[-1].macs_after <= 0.66 * result.steps[0].macs_before
    drop = bed.accuracy(before.run()[0], labels) - bed.accuracy(result.outputs[0], labels)
    assert drop <= 1


def test_pruning_without_pictures_is_refused() -> None:
    net, x = Doubled(conv=False, gated=False).eval(), torch.randn(2, 9, 6)
    with pytest.raises(CalibrationError, match="prune-mlp needs pictures"):
        edgevit.inspect(net, (x,), lossy="prune-mlp=0.5")
    options = CalibrationOptions("generated", 4)
    (step,) = edgevit.inspect(net, (x,), lossy="prune-mlp=0.5", calibration=options).as_dict()["lossy"]  # fmt: skip
    assert step["places"] and step["macs"]["after"] < step["macs"]["before"]
