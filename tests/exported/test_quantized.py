"""A quantised folder: verified by its held-out runs, and refused where those are damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import edgevit
from edgevit.cli.main import main
from edgevit.errors import PackageError
from edgevit.exported import GOLDEN, listed_files, read_manifest, write_manifest
from edgevit.exported.quantized_text import quantization_rows

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    return edgevit.export(
        net, torch.rand(1, 3, 8, 8), target="linux-x86", format="onnx", precision="int8",
        calibration=torch.rand(16, 3, 8, 8).split(1), output=tmp_path_factory.mktemp("net") / "out",
    ).directory  # fmt: skip


def with_golden(source: Path, folder: Path, change: Callable[[Tensors], Tensors]) -> Path:
    """Copy the folder and change its golden vectors, with digests that fit."""
    shutil.copytree(source, folder)
    save_file(change(load_file(folder / GOLDEN)), folder / GOLDEN)
    manifest = read_manifest(folder)
    manifest["files"] = listed_files(folder)
    write_manifest(folder, manifest)
    return folder


def test_it_is_verified_by_its_held_out_runs(
    quantized: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = edgevit.verify(quantized)
    assert verdict.passed
    assert "held-out noise" in str(verdict)
    assert "as near to the float model as its simulation" in str(verdict)
    assert main(["profile", str(quantized), "--rounds", "1", "--no-store", "--quiet"]) == 0


def test_a_failed_check_names_the_calls_that_add_most_noise(quantized: Path) -> None:
    manifest = read_manifest(quantized)
    assert "most noise" not in dict(quantization_rows(manifest))
    manifest["parity"][-1]["passed"] = False
    rows = list(quantization_rows(manifest))
    worst = next(place for place, (name, _) in enumerate(rows) if name == "most noise")
    named = [text for _, text in rows[worst:]]
    assert any("linear" in text for text in named) and any("conv2d" in text for text in named)
    assert all("dB" in text and "->" in text for text in named)


def test_other_outputs_are_not_the_same(quantized: Path, tmp_path: Path) -> None:
    def moved(tensors: Tensors) -> Tensors:
        return {n: t + 0.5 if ".output." in n else t for n, t in tensors.items()} | {
            n: t + 0.5 for n, t in tensors.items() if ".simulated." in n
        }

    assert not edgevit.verify(with_golden(quantized, tmp_path / "a", moved)).passed


FIRST = "held_out.0"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {n: x for n, x in t.items() if not n.startswith("held_out")},
        lambda t: {n: x for n, x in t.items() if n != f"{FIRST}.input.0"},
        lambda t: {n: x for n, x in t.items() if n != f"{FIRST}.simulated.0"},
        lambda t: {n: x for n, x in t.items() if not n.startswith(FIRST)},
        lambda t: {**t, f"{FIRST}.output.0": torch.full((1, 3), torch.nan)},
        lambda t: {**t, f"{FIRST}.simulated.0": torch.full((1, 3), torch.inf)},
        lambda t: {**t, f"{FIRST}.output.0": torch.zeros(1, 4)},
        lambda t: {**t, f"{FIRST}.output.1": torch.zeros(1, 3)},
        lambda t: {**t, f"{FIRST}.input.0": torch.zeros(1, 3, 9, 8)},
        lambda t: {**t, f"{FIRST}.input.0": torch.zeros(1, 3, 8, 8, dtype=torch.float64)},
        lambda t: {**t, "held_out.9.input.0": torch.zeros(1, 3, 8, 8)},
        lambda t: {**t, "held_out.x.input.0": torch.zeros(1, 3, 8, 8)},
    ],
)
def test_damaged_runs_are_refused(
    quantized: Path, tmp_path: Path, change: Callable[[Tensors], Tensors]
) -> None:
    with pytest.raises(PackageError, match=GOLDEN) as raised:
        edgevit.verify(with_golden(quantized, tmp_path / "a", change))
    assert all((raised.value.where, raised.value.why, raised.value.hint))
