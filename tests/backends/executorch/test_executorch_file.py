"""What only ExecuTorch does: pieces for XNNPACK, float16, threads, its own profiler."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.api import Expected, Lowering, backend_of
from edgevit.backends.artifact import Artifact
from edgevit.backends.executorch import delegation as report
from edgevit.backends.executorch.status import MEANINGS, explained
from edgevit.backends.worker import Worker
from edgevit.errors import InternalError, PackageError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import Parity
from edgevit.rewrites import engine
from edgevit.targets import load_target

pytest.importorskip("executorch", reason="pip install 'edgevit[executorch]'")

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def saved(module: nn.Module, folder: Path, precision: str = "fp32") -> tuple[Artifact, Parity]:
    torch.manual_seed(0)
    source = ModelSource("test", "net", module.eval(), (X,), ("x",), "a test", "as built")
    backend = backend_of("executorch")
    program, _ = engine.run(capture(source), backend.rules)
    target = load_target("linux-x86")
    artifact = backend.lower(Lowering(program, source, target, precision, folder, lambda _: None))
    with torch.no_grad():
        expected = Expected((X,), (module(X),), program)
    (parity,) = backend.check(artifact, expected)
    return artifact, parity


class Attention(nn.Module):
    """An image through a convolution, two heads of attention, and back to an image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 48, 4, 4), nn.Conv2d(16, 4, 1)
        self.dropout = nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.dropout(self.stem(x)).flatten(2).transpose(1, 2)
        q, k, v = (y[..., n : n + 16].reshape(1, 64, 2, 8).transpose(1, 2) for n in (0, 16, 32))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.head(mixed.transpose(2, 3).reshape(1, 16, 8, 8))


class Partly(nn.Module):
    """One op that XNNPACK does not take, between two that it does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        y = y.cumsum(1)  # the place
        return self.head(y)


def test_convolutions_and_attention_go_to_xnnpack(tmp_path: Path) -> None:
    artifact, parity = saved(Attention(), tmp_path)
    taken = artifact.delegation
    assert taken is not None
    assert parity.passed, parity
    assert taken.to == "XNNPACK"
    assert taken.delegates == 1
    assert taken.ops_inside is not None
    assert taken.ops_inside > 5
    assert taken.outside == ()


def test_what_stays_outside_is_told_with_its_line(tmp_path: Path) -> None:
    artifact, parity = saved(Partly(), tmp_path)
    assert parity.passed, parity
    assert artifact.delegation is not None
    assert artifact.delegation.delegates == 2
    (outside,) = artifact.delegation.outside
    line = Path(__file__).read_text().splitlines().index("        y = y.cumsum(1)  # the place") + 1
    assert (outside.op, outside.count) == ("cumsum", 1)
    assert outside.where.endswith(f"test_executorch_file.py:{line}")
    assert outside.bytes == 2 * 8 * 30 * 30 * 4


def test_a_file_that_is_not_its_graph_is_our_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_instructions", lambda path: (["aten::sort"], 2))
    with pytest.raises(InternalError, match="does not hold the instructions"):
        saved(Partly(), tmp_path)


def test_half_precision_computes_in_half(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    _, exact = saved(Attention(), tmp_path)
    half, parity = saved(Attention(), tmp_path / "half", "fp16")
    assert parity.passed, parity
    assert parity.precision == "fp16"
    assert 1e-5 < parity.distance.rel_l2 < 1e-2
    assert exact.distance.rel_l2 < 1e-6
    with Worker("executorch", threads=1) as worker:
        worker.open(half.path)
        assert [spec.dtype for spec in (*worker.inputs, *worker.outputs)] == ["float32"] * 2
        names = [time.op for time in worker.op_times([X.numpy()], 1) if time.unit == "XNNPACK"]
    assert any("F16" in name for name in names)
    assert not any("F32" in name for name in names)


def test_times_of_ops_are_counted_once(tmp_path: Path) -> None:
    artifact, _ = saved(Partly(), tmp_path)
    with Worker("executorch", threads=1) as worker:
        worker.open(artifact.path)
        times = worker.op_times([X.numpy()], 20)
        whole = min(worker.seconds([X.numpy()], 20))
    assert [(t.op, t.unit) for t in times if t.unit != "XNNPACK"] == [
        ("native_call_cumsum.out", "portable kernels")
    ]
    assert sum("Convolution" in t.op for t in times if t.unit == "XNNPACK") == 2
    assert sum(t.seconds for t in times) < 20 * whole  # of one run, not of twenty
    assert all(t.seconds < 1 for t in times)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_threads_are_as_many_as_asked_for(tmp_path: Path) -> None:
    artifact, _ = saved(Attention(), tmp_path)

    def running(threads: int) -> int:
        with Worker("executorch", threads=threads) as worker:
            worker.open(artifact.path)
            worker.run([X.numpy()])
            assert worker._process is not None
            return len(os.listdir(f"/proc/{worker._process.pid}/task"))

    alone = running(1)
    assert running(4) - alone >= 3  # it keeps those that it starts with


def test_a_damaged_file_is_told_by_what_the_number_means(tmp_path: Path) -> None:
    artifact, _ = saved(nn.Conv2d(3, 4, 3), tmp_path)
    whole = artifact.path.read_bytes()
    artifact.path.write_bytes(whole[: len(whole) // 2])
    with Worker("executorch") as worker, pytest.raises(PackageError) as caught:
        worker.open(artifact.path)
    assert caught.value.why.endswith(f"({MEANINGS[0x23]})")


def test_every_status_is_explained_however_it_is_written() -> None:
    for code, meaning in MEANINGS.items():
        assert explained(f"loading failed, error: 0x:{code:x}").endswith(f"({meaning})")
        assert explained(f"execute() failed with error 0x{code:x}").endswith(f"({meaning})")
    assert explained("no number") == "no number"
    assert explained("error: 0x:ff") == "error: 0x:ff"
