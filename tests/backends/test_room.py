"""A conversion that would run out of memory is refused before it is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.room import require_memory
from edgevit.errors import MemoryLimitError
from edgevit.export.api import export
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.support import memory


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 512)
        self.second = nn.Linear(512, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def _program(rows: int) -> Program:
    x = torch.randn(rows, 64)
    return capture(ModelSource("net", "net", Net().eval(), (x,), ("x",), "test", "test"))


def _available(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: count)


@pytest.mark.parametrize(
    ("rows", "heavy"),
    [(1, "constant `first.weight`, 512x64 f32"), (4096, "`linear` -> 4096x512 f32")],
)
def test_what_weighs_most_is_named(monkeypatch: pytest.MonkeyPatch, rows: int, heavy: str) -> None:
    program = _program(rows)
    constants = 4 * (64 * 512 + 512 + 512 * 16 + 16)
    needed = 2 * (constants + 4 * rows * 512)
    _available(monkeypatch, needed)
    require_memory(program, "TFLite")
    _available(monkeypatch, needed - 1)
    with pytest.raises(MemoryLimitError, match="TFLite") as caught:
        require_memory(program, "TFLite")
    assert heavy in caught.value.where and "test_room.py" in caught.value.where
    assert "first" in caught.value.where and caught.value.why and caught.value.hint


def test_who_cannot_tell_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _available(monkeypatch, None)
    require_memory(_program(1), "ONNX")


@pytest.mark.parametrize("format", ["coreml", "executorch", "onnx", "tflite"])
def test_no_converter_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str
) -> None:
    _available(monkeypatch, 1000)
    target = "iphone-15" if format == "coreml" else "pixel-8"
    with pytest.raises(MemoryLimitError, match="of memory"):
        export("zoo:vit-i32-p8-d24-h2-l1", target=target, format=format, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_this_machine_has_memory() -> None:
    available = memory.available_bytes()
    assert available is None or available > 1 << 20


def test_a_container_has_no_more_than_its_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    monkeypatch.setattr(memory, "_LIMIT", tmp_path / "memory.max")
    assert memory.available_bytes() == 1 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes() != 1 << 20
