"""An exported folder for the Snapdragon NPU, as a user has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit.errors import PackageError
from edgevit.export.api import export
from edgevit.exported.golden import load_golden
from edgevit.exported.verify import verify
from edgevit.support.backend_info import host_formats

pytest.importorskip("onnxruntime_qnn", reason="pip install 'edgevit[qnn]'")
NET = """
import torch
def build():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 10)
    return torch.nn.Sequential(*layers).eval(), (torch.rand(1, 3, 32, 32),)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("net")
    (root / "net.py").write_text(NET)
    result = export(f"{root}/net.py:build", target="galaxy-s25", format="qnn", output=root / "out")
    assert result.passed
    return root / "out"


def test_the_manifest_names_the_chip_and_both_files(folder: Path) -> None:
    manifest = json.loads((folder / "edgevit.json").read_text())
    assert manifest["delegation"]["delegates"] == 1 and manifest["delegation"]["outside"] == []
    assert manifest["npu"]["soc"] == "SM8750" and manifest["versions"]["onnxruntime-qnn"]
    files = {file["path"] for file in manifest["files"]}
    assert {manifest["artifact"], manifest["artifact"] + ".bin"} <= files


def test_an_emulator_is_no_runtime_to_time() -> None:
    assert "qnn" not in host_formats()


def test_python_calls_it_and_phones_are_told_the_chip(folder: Path, tmp_path: Path) -> None:
    inputs, outputs = load_golden(folder)
    np.save(tmp_path / "image.npy", inputs[0].numpy())
    command = [sys.executable, str(folder / "call" / "call.py"), "image.npy"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert np.abs(np.load(tmp_path / "output_0.npy") - outputs[0].numpy()).max() < 1e-2
    kotlin = (folder / "call" / "Call.kt").read_text()
    assert (
        'Build.SOC_MODEL.startsWith("SM8750")' in kotlin and "longArrayOf(1, 3, 32, 32)" in kotlin
    )
    assert "RegisterExecutionProviderLibrary" in (folder / "call" / "call.cpp").read_text()


def test_a_changed_context_is_told(folder: Path) -> None:
    (context,) = folder.glob("*.bin")
    whole = bytearray(context.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    context.write_bytes(whole)
    with pytest.raises(PackageError):
        verify(folder)
