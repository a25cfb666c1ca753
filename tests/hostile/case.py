"""One hostile input: how it is written, the command that a person would run on it, and the answer it must get."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

NET = """\
import torch
from torch import nn


def build():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5))
    return net.eval(), (torch.randn(1, 3, 8, 8),)
"""
# format -> the words of an export to it
EXPORTS = {
    "coreml": ("net.py:build", "--target", "iphone", "--format", "coreml"),
    "executorch": ("net.py:build", "--target", "linux-x86", "--format", "executorch"),
    "mcu": ("net.py:build", "--target", "qemu-m4"),
    "onnx": ("net.py:build", "--target", "linux-x86", "--format", "onnx"),
    "tflite": ("net.py:build", "--target", "linux-x86", "--format", "tflite"),
    "tvm": ("net.py:build", "--target", "linux-x86", "--format", "tvm"),
}


@dataclass(frozen=True)
class Exports:
    """Good exported folders, each written once for all test processes."""

    root: Path

    @property
    def home(self) -> Path:
        """The home directory of every run, so that no file of the person who tests is read."""
        return self.root / "home"

    def folder(self, format: str) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{format}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._written(format)

    def _written(self, format: str) -> Path:
        folder = self.root / format
        if not folder.exists():
            self.home.mkdir(exist_ok=True)
            (self.root / "net.py").write_text(NET)
            words = [*EXPORTS[format], "-o", str(folder), "--quiet"]
            subprocess.run(
                [sys.executable, "-m", "edgevit", "export", *words],
                cwd=self.root,
                env={**os.environ, "HOME": str(self.home), "PYTHONPATH": os.pathsep.join(sys.path)},
                check=True,
                capture_output=True,
            )
        return folder


@dataclass(frozen=True)
class Room:
    """The folder that a case writes into, which is the current directory of its run."""

    path: Path
    exports: Exports

    @property
    def canary(self) -> Path:
        """A file that hostile code would create."""
        return self.path.with_name(self.path.name + ".canary")

    def exported(self, format: str) -> Path:
        """A copy of a good exported folder."""
        return Path(shutil.copytree(self.exports.folder(format), self.path / format))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@dataclass(frozen=True)
class Case:
    """`make` writes the input and returns the words after `edgevit`. `passes`: an odd input that is good."""

    name: str
    make: Callable[[Room], Sequence[str]]
    says: str = ""
    code: int | tuple[int, ...] | None = None
    passes: bool = False

    @property
    def codes(self) -> tuple[int, ...]:
        if self.code is None:
            return (0, 9) if self.passes else tuple(range(2, 21))
        return self.code if isinstance(self.code, tuple) else (self.code,)
