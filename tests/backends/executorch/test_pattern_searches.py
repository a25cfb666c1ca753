"""XNNPACK's searches for patterns are left out where they cannot change anything, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.executorch import pattern_searches
from edgevit.backends.executorch.lower import lower
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.program import Program

graphs = pytest.importorskip("executorch.backends.xnnpack.partition.graphs")


class Resized(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        doubled = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
        return nn.functional.softmax(doubled.relu(), -1)


def test_every_pattern_that_changes_something_has_the_op() -> None:
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

    resize, attention = pattern_searches.SEARCHES.values()
    for pattern in bilinear_2d.get_graphs():
        assert called(pattern) == ["aten.upsample_bilinear2d.vec"] or resize in called(pattern)
    for pattern in sdpa.get_graphs():
        assert attention in called(pattern)


def called(pattern: torch.fx.GraphModule) -> list[str]:
    return [n.target.__name__ for n in pattern.graph.nodes if n.op == "call_function"]


def test_the_file_is_the_same_and_no_pattern_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executorch.backends.xnnpack._passes import convert_to_sdpa, convert_to_upsample_bilinear2d

    program = capture(resolve(Resized(), torch.rand(1, 3, 4, 4)))
    built: list[str] = []
    for passes, graphs, name in (
        (convert_to_sdpa, "sdpa", "get_graphs"),
        (convert_to_upsample_bilinear2d, "bilinear_2d", "get_graphs_dict"),
    ):
        module = getattr(passes, graphs)
        build = getattr(module, name)
        monkeypatch.setattr(module, name, lambda b=build, n=name: built.append(n) or b())
    (tmp_path / "skipped").mkdir()
    skipped = written(program, tmp_path / "skipped")
    assert not built
    monkeypatch.setattr(pattern_searches, "SEARCHES", {})
    (tmp_path / "searched").mkdir()
    assert written(program, tmp_path / "searched") == skipped
    assert sorted(set(built)) == ["get_graphs", "get_graphs_dict"]


def written(program: Program, folder: Path) -> bytes:
    return lower(program, "fp32", folder).path.read_bytes()
