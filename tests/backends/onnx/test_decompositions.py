"""A graph of operators that onnxscript has functions for is not traced anew, and the file is the same."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.backends.onnx import lower
from tests.backends.runtimes.through import checked, lowered, source_of


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 2, 2), nn.BatchNorm2d(12), nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.body(x).flatten(2).split(4, 1)
        return nn.functional.scaled_dot_product_attention(q, k, v).amax(1)


class Huber(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.huber_loss(x, x.flip(-1), reduction="none")


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    counted: list[str] = []
    trace = ExportedProgram.run_decompositions

    def run(program: ExportedProgram, *arguments: object) -> ExportedProgram:
        counted.append("trace")
        return trace(program, *arguments)

    monkeypatch.setattr(ExportedProgram, "run_decompositions", run)
    return counted


def test_the_file_of_a_graph_that_is_not_decomposed(
    tmp_path: Path, traces: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "skipped").mkdir()
    skipped = calls(tmp_path / "skipped")
    before = len(traces)
    monkeypatch.setattr(lower, "needless_decomposition_skipped", lower.exact_constants)
    (tmp_path / "usual").mkdir()
    assert calls(tmp_path / "usual") == skipped
    assert len(traces) == 2 * before + 1  # it is one trace less


def calls(folder: Path) -> list[str]:
    artifact, _ = lowered("onnx", source_of(Attention(), torch.rand(1, 3, 8, 8)), folder)
    return [node.op_type for node in onnx.load(artifact.path).graph.node]


def test_an_operator_without_a_function_is_decomposed(tmp_path: Path, traces: list[str]) -> None:
    assert checked("onnx", source_of(Huber(), torch.rand(2, 6)), tmp_path).passed
    assert traces
