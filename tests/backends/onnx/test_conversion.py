"""The conversion reads and tries only what a graph needs, and the file is the same."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.backends.onnx import functions, lower
from tests.backends.runtimes.through import checked, lowered, source_of

values = pytest.importorskip("onnxscript.values")
matcher = pytest.importorskip("onnxscript.rewriter._matcher")


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 2, 2), nn.BatchNorm2d(12), nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.body(x).flatten(2).split(4, 1)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return (y.transpose(1, 2).transpose(1, 2).reshape(-1, 8, 2).reshape(4, -1) * 1).amax(1)


class Huber(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.huber_loss(x, x.flip(-1), reduction="none")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Traces of a graph, and matches begun."""
    counted: list[str] = []
    trace, match = ExportedProgram.run_decompositions, matcher.SimplePatternMatcher.match

    def traced(program: ExportedProgram, *arguments: object) -> ExportedProgram:
        counted.append("trace")
        return trace(program, *arguments)

    def matched(*arguments: object, **options: object) -> object:
        counted.append("match")
        return match(*arguments, **options)

    monkeypatch.setattr(ExportedProgram, "run_decompositions", traced)
    monkeypatch.setattr(matcher.SimplePatternMatcher, "match", matched)
    return counted


def test_the_file_is_that_of_the_whole_conversion(
    tmp_path: Path, work: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    little = file_of(Attention(), tmp_path / "little")
    traces, matches = work.count("trace"), work.count("match")
    monkeypatch.setattr(functions._Functions, "read", lambda reader: reader._read())
    monkeypatch.setattr(lower, "candidate_rules_only", nullcontext)
    whole = file_of(Attention(), tmp_path / "whole")
    assert whole.read_bytes() == little.read_bytes()
    assert work.count("match") > 10 * matches
    monkeypatch.setattr(lower, "needed_functions", lambda exported: nullcontext())
    traced = file_of(Attention(), tmp_path / "traced")
    assert kinds(traced) == kinds(little)
    assert work.count("trace") == 3 * traces + 1  # it is one trace less


def test_an_operator_without_a_function_is_decomposed(tmp_path: Path, work: list[str]) -> None:
    assert checked("onnx", source_of(Huber(), torch.rand(2, 6)), tmp_path).passed
    assert "trace" in work


class Promoted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x // 2 + torch.pow(2, x.int()) + (x > 0)


def test_an_operator_that_a_pass_adds_has_its_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "_OF_TYPES", frozenset())
    assert checked("onnx", source_of(Promoted(), torch.rand(2, 6)), tmp_path).passed


def file_of(net: nn.Module, folder: Path) -> Path:
    torch.manual_seed(0)
    for weight in net.parameters():
        nn.init.normal_(weight)
    folder.mkdir()
    artifact, _ = lowered("onnx", source_of(net, torch.rand(1, 3, 8, 8)), folder)
    return artifact.path


def kinds(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file).graph.node]


class PaddedPool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(nn.functional.pad(-1 - x, (1, 2, 0, 1)), (2, 3), 1)


def test_zeros_in_front_of_a_max_pool_count(tmp_path: Path) -> None:
    assert checked("onnx", source_of(PaddedPool(), torch.rand(1, 2, 4, 4)), tmp_path).passed


class SameName(nn.Module):
    def forward(self, x0: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x0": x0 * 2, "x0_1": x0 + 1}


def test_an_output_called_like_an_input_has_a_name_of_its_own(tmp_path: Path) -> None:
    artifact, _ = lowered("onnx", source_of(SameName(), torch.rand(1, 2)), tmp_path)
    names = [value.name for value in onnx.load(artifact.path).graph.output]
    assert names == ["x0_2", "x0_1"]
    assert "`x0` is called `x0_2`" in artifact.notes
