"""Accuracy measured by an export, kept in the folder, and held to a limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgevit
from edgevit import EvaluationOptions
from edgevit.errors import BudgetError, CalibrationError, UsageError


class CloseCall(nn.Module):
    """Two classes whose outputs differ by less than a step of 8 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(12, 2)
        torch.manual_seed(0)
        weight = torch.randn(12)
        self.head.weight.data = torch.stack([weight, weight + 1e-3 * torch.randn(12)])
        self.head.bias.data.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = np.random.default_rng(0).normal(size=(200, 3, 2, 2)).astype(np.float32)
    labels = CloseCall()(torch.from_numpy(images)).argmax(1).numpy()
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, images=images, labels=labels)
    return path


def exported(path: Path, precision: str, evaluation: EvaluationOptions) -> edgevit.ExportResult:
    return edgevit.export(
        CloseCall(),
        torch.rand(1, 3, 2, 2),
        target="linux-x86",
        format="onnx",
        precision=precision,
        calibration=torch.randn(32, 3, 2, 2, generator=torch.Generator().manual_seed(0)).split(1)
        if precision == "int8"
        else edgevit.CalibrationOptions(),
        evaluation=evaluation,
        output=path,
    )


def test_a_float_artifact_is_as_accurate_as_its_model(data: Path, tmp_path: Path) -> None:
    result = exported(tmp_path / "a", "fp32", EvaluationOptions(str(data), max_drop=0))
    accuracy = result.manifest["accuracy"]
    assert accuracy["float"] == accuracy["file"] == {"top1": 100.0, "top5": None}
    assert accuracy["simulation"] is None
    assert "accuracy   float 100.00 %, file 100.00 %" in str(result)
    evaluation = edgevit.evaluate(result, data)
    assert evaluation.at_export == accuracy
    assert "at export" in str(evaluation)


def test_an_artifact_that_loses_too_much_is_refused(data: Path, tmp_path: Path) -> None:
    result = exported(tmp_path / "a", "int8", EvaluationOptions(str(data)))
    accuracy = result.manifest["accuracy"]
    assert accuracy["float"]["top1"] == 100 > accuracy["file"]["top1"]
    assert accuracy["simulation"] == accuracy["file"]
    with pytest.raises(BudgetError, match=r"points of top-1, and --max-drop is 0\.5") as raised:
        exported(tmp_path / "b", "int8", EvaluationOptions(str(data), max_drop=0.5))
    error = raised.value
    assert "linear head" in error.why
    assert "--precision" in error.hint
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("options", [{"max_drop": 1.0}, {"evaluate_count": 3}])
def test_limits_without_data_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="needs labelled data"):
        exported(tmp_path / "a", "fp32", EvaluationOptions(**options))


def test_data_is_looked_at_before_a_model_is_built(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no labelled data"):
        edgevit.export(
            "zoo:no-such-net", target="linux-x86",
            evaluation=EvaluationOptions(str(tmp_path / "none")),
        )  # fmt: skip
