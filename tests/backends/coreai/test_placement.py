"""Where operations of an asset are predicted to run, by Apple's rules for the Neural Engine."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.coreai import forecast
from edgevit.backends.coreai.lower import write_asset
from edgevit.backends.coreai.places import calls_behind
from edgevit.backends.coreai.rules import RULES
from edgevit.backends.placement import Placement, require_engine
from edgevit.cli.main import main
from edgevit.errors import EnginePlacementError
from edgevit.frontend.capture import capture
from edgevit.graph.half import in_float16
from edgevit.rewrites import engine
from tests import ROOT
from tests.backends.runtimes.through import source_of

pytest.importorskip("coreai_torch")
MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
X = torch.randn(1, 4, 32, 32)


class Net(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x.relu()) * 2


def placement_of(function: Callable[[torch.Tensor], torch.Tensor], folder: Path, ours: bool = True) -> Placement:  # fmt: skip
    program, _ = engine.run(capture(source_of(Net(function), X)), RULES if ours else ())
    return write_asset(in_float16(program), folder / "net.aimodel")


def test_every_rule_has_a_source_and_conditions_that_are_known() -> None:
    table = tomllib.loads(Path(forecast.__file__).with_name("placement.toml").read_text())
    words = {"ops", "except", "unit", "why", "source", *forecast.CONDITIONS}
    for entry in table["rule"]:
        assert set(entry) <= words, entry
        assert entry["source"] in table["source"]
        assert set(entry) - {"unit", "why", "source", "except"}, f"holds for everything: {entry}"
    assert all(url.startswith("https://") for url in table["source"].values())


CASES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str, str]] = {
    "tanh": (lambda x: x.tanh(), "tanh", "sigmoid"),
    "strides of five": (lambda x: F.conv2d(x, torch.ones(4, 4, 5, 5), stride=5), "conv2d", "2 and 3"),
    "a pool of three": (lambda x: F.max_pool2d(x, 3, 3), "max_pool_2d", "2 or 4"),
    "largest": (lambda x: x.argmax(1), "argmax", "silently wrong"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_leaves_the_engine(name: str, tmp_path: Path) -> None:
    function, kind, why = CASES[name]
    off = [placed for placed in placement_of(function, tmp_path).off_engine if placed.op == kind]
    assert off, name
    assert why in off[0].why and off[0].source.startswith("https://")
    assert "test_placement.py:" in off[0].where


def test_forms_that_the_engine_takes_are_written(tmp_path: Path) -> None:
    weight = torch.randn(8, 4) / 2

    def function(x: torch.Tensor) -> torch.Tensor:
        return F.linear(F.silu(x).mean((2, 3)), weight)

    require_engine(placement_of(function, tmp_path))
    left = {placed.op for placed in placement_of(function, tmp_path, ours=False).off_engine}
    assert left == {"silu", "broadcasting_batch_matmul"}


def test_operations_of_the_compiler_have_the_call_before_them() -> None:
    made_from = [("conv f16", "a"), ("add f16", "b"), ("relu f16", "c"), ("add f16", "d")]
    written = ["conv f16", "cast f16", "relu f16", "add f16"]
    assert calls_behind(written, made_from) == ["a", "a", "c", "d"]


def test_asked_for_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", MODEL, "--target", "iphone-17", "--format", "coreai", "--require-ane", "--quiet"]  # fmt: skip
    assert main([*words, "-o", str(tmp_path / "half")]) == 0
    assert "placed     predicted: " in capsys.readouterr().out
    assert main([*words, "--precision", "fp32", "-o", str(tmp_path / "full")]) == EnginePlacementError.exit_code  # fmt: skip
    assert "--precision fp16" in capsys.readouterr().err
    assert not (tmp_path / "full").exists()
