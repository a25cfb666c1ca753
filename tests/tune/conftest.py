"""Tunings of tiny nets, with exports in this process: a process of its own each would take longer than the rest."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.errors import revived

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 24)
    def forward(self, x):
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = self.mix(tokens).reshape(1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        return nn.functional.scaled_dot_product_attention(q, k, v)

def build():
    torch.manual_seed(0)
    return Net(), (torch.randn(1, 8, 4, 4),)

def other():
    torch.manual_seed(0)
    return nn.Sequential(Net(), nn.ReLU()), (torch.randn(1, 8, 4, 4),)
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return f"{path}:build"


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans that were exported, in order."""
    seen: list[str] = []

    def here(words: Sequence[str], limit: float | None = None) -> dict[str, Any]:
        seen.append(Path(words[words.index("--plan") + 1]).stem)
        said = io.StringIO()
        # As in a process of its own: its answer is not the tuner's.
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(io.StringIO()),
            monkeypatch.context() as process,
        ):
            process.setattr("edgevit.support.stdout._reserved", None)
            main(["export", *words, "--json", "--quiet"])
        found = json.loads(said.getvalue())
        if "error" in found:
            raise revived(found)
        return found

    monkeypatch.setattr(import_module("edgevit.tune.artifacts"), "export_apart", here)
    return seen


@pytest.fixture(autouse=True)
def own_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What else is exported on this machine must not be waited for."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
