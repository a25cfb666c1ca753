"""onnxscript's functions are read once a process, and the file is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.backends.runtimes.through import lowered, source_of

registration = pytest.importorskip("onnxscript.function_libs.torch_lib.registration")


def test_a_second_export_reads_no_function_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), torch.randn(1, 3, 8, 8))
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        artifact, _ = lowered("onnx", source, tmp_path / name)
        files.append(artifact.path.read_bytes())
        monkeypatch.setattr(registration, "default_registry", {})
    assert files[0] == files[1]
