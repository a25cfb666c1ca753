"""`--head split`: an artifact that ends before its head, and the head as code that is compared with the model."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

import edgevit
from edgevit.backends.delegation import Delegation, Outside
from edgevit.backends.onnx import lower
from edgevit.backends.onnx.delegation import delegation
from edgevit.errors import UsageError
from edgevit.frontend import build_source, capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import argument, kind
from edgevit.graph.program import origin
from edgevit.snippets import compiler, head_forms
from tests.detector import Detector

pytestmark = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="pip install 'edgevit[onnx]'"
)
X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def exported(folder: Path, module: nn.Module | None = None, head: str = "split", x=X):
    return edgevit.export(
        module or Detector(), (x,), target="linux-x86", format="onnx", head=head, output=folder
    )


def test_a_split_export_has_its_head_beside_it(tmp_path: Path) -> None:
    result = exported(tmp_path / "out")
    assert result.passed
    stages = [parity.stage for parity in result.parity if parity.stage.startswith("head")]
    in_c = ["head in C"] if compiler() else []
    assert stages == ["head", "head, other inputs", *in_c, "head behind the artifact"]
    head = result.manifest["head"]
    assert head["file"] == "head/head.py" and len(head["boundary"]) == 3
    names = [output["name"] for output in head["outputs"]]
    assert names == ["boxes", "scores", "classes", "features"]
    assert [port["name"] for port in result.manifest["ports"]["outputs"]] == head["boundary"]
    assert any("head/head.py" in note for note in result.notes)
    listed = {entry["path"] for entry in result.manifest["files"]}
    languages = {f"head/{name}" for name in ("head.c", "head.h", "Head.swift", "Head.kt")}
    assert {"head/head.py", "head/head.npz", "head/head.bin", *languages} <= listed
    assert "head='split'" in str(result.manifest["command"])
    assert edgevit.verify(tmp_path / "out").passed


def test_a_head_begins_where_its_calls_leave_the_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = capture(resolve(Detector(), (X,)))
    lines = {origin(node).source for node in whole.calls() if kind(node) == "topk"}

    def with_topk_outside(path: Path) -> Delegation:
        outside = tuple(Outside("TOPK_V2", f"head {line}", 1, 0) for line in lines)
        return replace(delegation(path), outside=outside)

    monkeypatch.setattr(lower, "delegation", with_topk_outside)
    result = exported(tmp_path / "out")
    assert result.passed
    assert result.manifest["head"]["boundary"] == ["relu", "sigmoid", "mul", "argmax"]
    assert any("(predicted) instead of 27408 behind" in note for note in result.notes)
    option = result.manifest["model"]["options"]["head"]
    again = build_source(Detector(), (X,), head=option)
    assert again.output_names == ("relu", "sigmoid", "mul", "argmax") and again.split is not None
    assert len([*again.split.head.calls()]) == result.manifest["head"]["calls"]


def test_a_wrong_head_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ascending(node, r) -> str:
        best = head_forms.FORMS_BEFORE(node, r)
        assert argument(node, "largest")
        return best.replace("True", "False")

    monkeypatch.setattr(head_forms, "FORMS_BEFORE", head_forms.FORMS["topk"], raising=False)
    monkeypatch.setitem(head_forms.FORMS, "topk", ascending)
    result = exported(tmp_path / "out")
    assert not result.passed
    assert {p.stage for p in result.parity if not p.passed} >= {"head", "head behind the artifact"}


def test_a_head_that_is_kept_is_told_where_it_runs(tmp_path: Path) -> None:
    result = edgevit.export(
        Detector(), (X,), target="android", format="tflite", head="keep", output=tmp_path / "out"
    )
    notes = [note for note in result.notes if note.startswith("head: ")]
    assert result.passed and "head" not in result.manifest
    assert any("detector.py:" in note and "outside" in note for note in notes), notes
    assert not any("conv" in note.lower() for note in notes)


class Residual(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


@pytest.mark.parametrize(
    ("module", "head", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), "split", "no head"),
        (Residual(3, 3, 1), "split", "own input"),
        (None, "half", "no way to treat a head"),
        (None, "split:conv9", "no value 'conv9'"),
    ],
)
def test_refusals(tmp_path: Path, module: nn.Module | None, head: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        exported(tmp_path / "out", module, head)
    assert caught.value.where and caught.value.why and caught.value.hint
