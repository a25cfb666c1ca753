"""Lossy options: what each does, what it leaves alone and why, and what is said of the loss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import edgevit
from edgevit.cli.main import main
from edgevit.errors import LossyStepError, UsageError
from edgevit.exported.golden import load_golden
from edgevit.exported.verify import verify
from edgevit.graph.aten import argument, kind
from edgevit.graph.cost import stats
from edgevit.graph.parity import distance
from edgevit.graph.program import Program, shape
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import StepReport, apply_lossy
from edgevit.rewrites.lossy.table import OPTIONS
from tests import ROOT
from tests.rewrites.checking import kinds, program_for

EXAMPLE = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


def after(word: str, net: nn.Module, *inputs: torch.Tensor) -> tuple[Program, StepReport]:
    found = apply_lossy(program_for(net, *inputs), parse_lossy(word))
    return found.program, found.steps[0]


def moved(word: str, net: nn.Module, *inputs: torch.Tensor) -> float:
    """The relative L2 in float64: of the rewrite, not of rounding."""
    before, (program, report) = program_for(net, *inputs), after(word, net, *inputs)
    assert report.places, report.refused
    return distance(before.in_float64().run(), program.in_float64().run()).rel_l2


@pytest.mark.parametrize(
    ("word", "most", "left"),
    [("gelu-tanh", 5e-4, "gelu"), ("gelu-sigmoid", 0.021, "sigmoid"), ("gelu-relu", 0.171, "relu")],
)
def test_another_gelu_is_as_near_as_its_header_says(word: str, most: float, left: str) -> None:
    x = torch.linspace(-8, 8, 4001)
    program, report = after(word, nn.GELU(), x)
    found = (program.run()[0] - nn.functional.gelu(x)).abs().max()
    assert most * 0.9 < found <= most
    assert left in kinds(program)
    assert report.moved.rel_l2 > 0


def test_the_tanh_form_stays_where_it_is_already() -> None:
    net, x = nn.GELU(approximate="tanh"), torch.randn(9)
    assert not after("gelu-tanh", net, x)[1].places
    assert after("gelu-relu", net, x)[1].places
    assert after("gelu-sigmoid", net, x)[1].places


def of_rank(rank: int, layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        held = layer.weight.flatten(1)
        layer.weight.copy_((torch.randn(len(held), rank) @ torch.randn(rank, held.shape[1])).view_as(layer.weight))  # fmt: skip
    return layer


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        (nn.Linear(16, 12), (3, 5, 16)),
        (nn.Linear(16, 12, bias=False), (16,)),
        (nn.Conv2d(16, 12, 1), (2, 16, 4, 4)),
        (nn.Conv2d(16, 12, 1, stride=2, bias=False), (2, 16, 5, 5)),
        (nn.Conv1d(16, 12, 1), (2, 16, 7)),
    ],
)
def test_a_weight_of_low_rank_loses_nothing(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    net, x = of_rank(3, layer), torch.randn(sizes)
    for word in ("low-rank=3", "low-rank=0.999999"):
        assert moved(word, net, x) < 1e-6
        program, report = after(word, net, x)
        calls = [node for node in program.calls() if kind(node) == kind_of(layer)]
        assert [shape(argument(node, "weight"))[0] for node in calls] == [3, 12]
        assert report.macs_after < report.macs_before


def kind_of(layer: nn.Module) -> str:
    return type(layer).__name__.lower()


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 24), st.integers(4, 24), st.floats(0.05, 0.95), st.integers(0, 99))
def test_a_share_of_the_energy_is_kept(rows: int, columns: int, keep: float, seed: int) -> None:
    """The columns of the weight, through the two: what is lost is the energy of the singular values left out."""
    torch.manual_seed(seed)
    net = nn.Linear(columns, rows, bias=False)
    program, report = after(f"low-rank={keep}", net, torch.eye(columns))
    if not report.places:
        assert "saves" in report.refused[0].why
        return
    assert report.moved.rel_l2**2 <= 1 - keep + 1e-5
    assert stats(program).macs < columns * columns * rows


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.Linear(16, 1), "no rank saves anything"),
        (nn.Linear(16, 16), "rank 9 saves nothing"),
    ],
)
def test_a_rank_that_saves_nothing_is_refused(layer: nn.Module, why: str) -> None:
    _, report = after("low-rank=9", layer, torch.randn(2, 16))
    assert why in report.refused[0].why
    assert not report.places


def test_other_convolutions_keep_their_rank() -> None:
    for layer in (nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1, groups=2)):
        _, report = after("low-rank=1", layer, torch.randn(1, 8, 5, 5))
        assert not report.places and not report.refused


def test_branches_become_one_convolution_before_they_become_two() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) + self.b(x)

    program, report = after("low-rank=1", Branches(), torch.randn(1, 8, 6, 6))
    assert not report.places
    assert kinds(program) == ["conv2d"]


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("gelu-tan", "no lossy option is called `gelu-tan`"),
        ("gelu-tanh=2", "it takes no value"),
        ("low-rank", "share of the energy"),
        ("low-rank=0", "share of the energy"),
        ("low-rank=1.5", "share of the energy"),
        ("low-rank=nan", "share of the energy"),
        ("merge-heads=1", "cosine similarity"),
        ("merge-heads=alike", "cosine similarity"),
        ("merge-tokens=0", "how many tokens"),
        ("merge-tokens=8:-1", "how many tokens"),
        ("merge-tokens", "how many tokens"),
        ("gelu-tanh,low-rank=2,gelu-tanh", "is given twice"),
    ],
)
def test_a_word_that_is_none_lists_the_options(word: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_lossy(word)
    assert why in f"{caught.value.message} {caught.value.why}"
    if "twice" not in why:
        assert all(name in caught.value.hint for name in OPTIONS)
        assert len(caught.value.hint.splitlines()) == len(OPTIONS)


def test_several_options_run_in_the_order_given() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8))
    words = parse_lossy(["gelu-relu,low-rank=2", " merge-tokens=1 "])
    found = apply_lossy(program_for(net, torch.randn(4, 8)), words)
    assert [(step.name, len(step.places)) for step in found.steps] == [
        ("gelu-relu", 1),
        ("low-rank", 2),
        ("merge-tokens", 0),
    ]
    assert found.before.macs == 4 * 128
    assert found.steps[1].macs_before == 4 * 128 and found.steps[1].macs_after == 4 * 64
    assert "no scaled_dot_product_attention" in found.steps[2].refused[0].why


def test_what_is_left_of_nothing_is_a_drift() -> None:
    class Dead(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.gelu(x - 40)

    with pytest.raises(LossyStepError, match="nothing is left"):
        apply_lossy(program_for(Dead(), torch.rand(3)), parse_lossy("gelu-sigmoid"))


def test_the_manifest_says_how_far_from_the_original(tmp_path: Path) -> None:
    where = tmp_path / "out"
    result = edgevit.export(EXAMPLE, target="iphone", precision="fp32", output=where, lossy="low-rank=8")  # fmt: skip
    plain = edgevit.export(EXAMPLE, target="iphone", precision="fp32", output=tmp_path / "plain")
    assert result.passed
    (step,) = result.manifest["lossy"]
    assert (step["name"], step["value"]) == ("low-rank", "8")
    assert step["places"] and 0 < step["rel_l2"] < 1.5
    golden, original = load_golden(where)[1], load_golden(tmp_path / "plain")[1]
    total = result.manifest["from_original"]
    assert total["rel_l2"] == pytest.approx(distance(original, golden).rel_l2, rel=1e-3)
    assert result.manifest["parity"][0]["stage"] == "captured"
    assert "lossy      low-rank=8 x" in (where / "summary.txt").read_text()
    assert result.manifest["graph"]["before"] == plain.manifest["graph"]["before"]
    assert (plain.manifest["lossy"], plain.manifest["from_original"]) == ([], None)
    assert "after its lossy steps" in str(verify(where))


def test_the_command_line_tells_what_it_lost(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", EXAMPLE, "--quiet", "--lossy", "low-rank=0.5", "--lossy", "gelu-tanh"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "low-rank=0.5 x" in text and "gelu-tanh did nothing" in text
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in found["lossy"]] == ["low-rank", "gelu-tanh"]
    assert main(["inspect", EXAMPLE, "--lossy", "help"]) == 2
    assert "merge-tokens=N" in capsys.readouterr().err
