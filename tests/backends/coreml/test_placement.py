"""Where ops are predicted to run, why, and what is said of it."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import edgevit
from edgevit.backends.coreml import forecast
from edgevit.backends.placement import Placed, Placement, require_engine
from edgevit.cli.main import main
from edgevit.errors import EnginePlacementError
from edgevit.exported.text import off_engine_lines
from tests import ROOT
from tests.backends.coreml.lowering import Hybrid, lowered, source_of

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
X = torch.randn(1, 4, 16, 16)


class Net(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x.relu()) * 2


def placement_of(module: nn.Module, folder: Path, precision: str = "fp16", x: torch.Tensor = X) -> Placement:  # fmt: skip
    _, artifact = lowered(source_of(module, x), folder, precision)  # type: ignore[arg-type]
    assert artifact.placement is not None
    return artifact.placement


def test_every_rule_has_a_source_and_conditions_that_are_known() -> None:
    table = tomllib.loads(Path(forecast.__file__).with_name("placement.toml").read_text())
    words = {"ops", "except", "unit", "why", "source", *forecast.CONDITIONS}
    for entry in table["rule"]:
        assert set(entry) <= words, entry
        assert entry["source"] in table["source"]
        assert set(entry) - {"unit", "why", "source", "except"}, f"holds for everything: {entry}"
    assert all(url.startswith("https://") for url in table["source"].values())
    never = {op for e in table["rule"] if not set(e) & set(forecast.CONDITIONS) for op in e["ops"]}
    assert not never & set(table["native"])


def test_an_attention_net_is_in_one_piece(tmp_path: Path) -> None:
    placement = placement_of(Hybrid(), tmp_path, x=torch.randn(1, 3, 16, 16))
    assert (placement.partitions, placement.off_engine) == (1, ())
    assert all("test" in p.where or "lowering.py:" in p.where for p in placement.ops), placement.ops
    require_engine(placement)


CASES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str, str, str]] = {
    "topk": (lambda x: x.topk(3, -1).values, "topk", "cpu", "by index"),
    "cumsum": (lambda x: x.cumsum(1), "cumsum", "cpu", "no path"),
    "sin": (lambda x: x.sin(), "sin", "cpu", "from the M3"),
    "tan": (lambda x: x.tan(), "tan", "cpu", "no generation"),
    "wide kernel": (lambda x: F.conv2d(x, torch.ones(4, 4, 1, 15)), "conv", "gpu", "13 wide"),
    "reflected": (lambda x: F.pad(x, (1, 1, 1, 1), "reflect"), "pad", "gpu", "only constants"),
    "channels": (lambda x: F.pad(x, (0, 0, 0, 0, 0, 3)), "pad", "gpu", "height and width"),
    "long": (lambda x: x.repeat(1, 1, 9, 8).flatten(2).exp(), "exp", "gpu", "16384 long"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_leaves_the_engine(name: str, tmp_path: Path) -> None:
    function, kind, unit, why = CASES[name]
    found = [p for p in placement_of(Net(function), tmp_path).off_engine if p.op == kind]
    assert found, name
    assert found[0].unit == unit
    assert why in found[0].why
    assert found[0].source.startswith("https://")
    assert "test_placement.py:" in found[0].where


def test_an_fp32_package_is_off_the_engine_and_it_is_said_once(tmp_path: Path) -> None:
    placement = placement_of(Hybrid(), tmp_path, "fp32", torch.randn(1, 3, 16, 16))
    assert len(placement.off_engine) == len(placement.ops)
    with pytest.raises(EnginePlacementError) as caught:
        require_engine(placement)
    assert caught.value.where == "every op"
    assert "fp16 only" in caught.value.why
    assert "\n" not in caught.value.why
    assert caught.value.hint == "--precision fp16"


def test_the_error_counts_and_names_the_lines() -> None:
    on = Placed("conv", "conv", "stem  net.py:3", "neural_engine", "", "https://a")
    off = Placed("topk", "topk", "head  net.py:9", "cpu", "by index", "https://b")
    placement = Placement((on, off, off, on), 1)
    assert placement.partitions == 3
    assert placement.as_dict()["units"] == {"neural_engine": 2, "gpu": 0, "cpu": 2}
    assert off_engine_lines({"placement": placement.as_dict()})[1:] == [
        "  topk x2 on the CPU   head  net.py:9",
        "      by index",
    ]
    with pytest.raises(EnginePlacementError) as caught:
        require_engine(placement)
    assert caught.value.message == "2 of 4 ops are predicted to run off the Neural Engine"
    assert caught.value.where == "topk x2 on the CPU   head  net.py:9"
    assert caught.value.why == "by index (https://b)"


def test_asked_for_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", MODEL, "--target", "iphone", "--require-ane", "--quiet"]
    assert main([*words, "-o", str(tmp_path / "half")]) == 0
    assert "placed     predicted: " in capsys.readouterr().out
    assert main([*words, "--precision", "fp32", "-o", str(tmp_path / "full")]) == 15
    assert "--precision fp16" in capsys.readouterr().err
    assert not (tmp_path / "full").exists()


def test_refused_where_there_is_no_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", MODEL, "--target", "linux-x86", "--format", "onnx,tflite", "--require-ane"]
    assert main([*words, "--quiet", "-o", str(tmp_path / "o")]) == 2
    assert "--require-ane does not apply to onnx" in capsys.readouterr().err


def test_what_departs_in_half_is_kept_in_fp32_and_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.stem = torch.nn.Conv2d(3, 8, 3, 2, 1)\n"
        "        self.head = torch.nn.Conv2d(8, 8, 3)\n"
        "    def forward(self, x):\n"
        "        x = self.stem(x).abs() + 1\n"
        "        energy = (x * x * 9000.0).sum(1, keepdim=True)\n"
        "        return self.head(x / energy.log()).relu()\n"
        "def build():\n"
        "    return Net(), (torch.rand(1, 3, 16, 16),)\n"
    )
    result = edgevit.export(f"{tmp_path / 'net.py'}:build", target="iphone", output=tmp_path / "o")
    assert result.passed
    assert result.manifest["precision"] == "fp16"
    (note,) = [note for note in result.manifest["notes"] if "kept in fp32" in note]
    assert "net.py:9" in note and "overflow fp16" in note
    placed = {op["name"]: op["unit"] for op in result.manifest["placement"]["ops"]}
    assert {name for name, unit in placed.items() if unit == "gpu"} == {"sum_1", "log"}
    assert placed["conv2d_cast_fp16"] == placed["conv2d_1_cast_fp16"] == "neural_engine"
    kept = result.manifest["kept_in_fp32"]
    assert kept == {"operations": 2, "of": 10, "first": "sum_1", "last": "log"}


def test_a_place_that_fp16_puts_beyond_the_end_is_computed_in_fp32(tmp_path: Path) -> None:
    class Curve(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            place = (x.clamp(0, 1 - 1e-6) * 8).floor().long()
            return torch.linspace(0, 1, 8)[place] + x

    picture = torch.linspace(0, 2, 48).reshape(1, 3, 4, 4)
    result = edgevit.export(Curve(), picture, target="iphone", output=tmp_path / "o")
    assert result.passed
    (note,) = [note for note in result.manifest["notes"] if "kept in fp32" in note]
    assert "index 8 into 8" in note


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "convnext_atto",
        pytest.param("shvit_s1", marks=pytest.mark.long),
        pytest.param("fastvit_t8", marks=pytest.mark.long),
    ],
)
def test_no_transposes_between_stem_and_head(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("timm") is None:
        pytest.skip("pip install 'edgevit[zoo]'")
    result = edgevit.export(f"timm:{name}", target="iphone", output=tmp_path / "o")
    assert result.passed
    placement = result.manifest["placement"]
    assert isinstance(placement, dict)
    assert placement["kind"] == "predicted"
    assert placement["transposes"] == 0
    assert placement["units"]["cpu"] == placement["units"]["gpu"] == 0
    assert all(entry["where"] for entry in placement["ops"])
