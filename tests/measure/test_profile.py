"""`edgevit profile`: artifacts timed interleaved, every figure with its circumstances."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import edgevit
from edgevit.backends.worker import Worker
from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError
from edgevit.measure.timing import Latency, measure, subject_of
from tests import ROOT

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"
SHORT = ["--rounds", "3", "--warmup", "1", "--threads", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile") / "exported"
    edgevit.export(MODEL, target="linux-x86", format="onnx", output=folder)
    return folder


def test_two_are_compared_by_turns(folder: Path, capsys) -> None:
    artifact = folder / "TinyHybrid.onnx"
    assert main(["profile", str(folder), str(artifact), "--eager", "--json", *SHORT]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kind"] == "measured"
    assert (report["threads"], report["rounds"], report["warmup"]) == (1, 3, 1)
    assert report["host"]["cpu"]
    assert report["when"].startswith("20")
    first, second, eager = report["results"]
    assert [r["format"] for r in report["results"]] == ["onnx", "onnx", "eager"]
    assert first["ratio"] is None
    assert 0.2 < second["ratio"] < 5  # the same file
    assert eager["ratio"] > 0
    for result in report["results"]:
        ms = result["latency_ms"]
        assert len(ms["rounds"]) == 3
        assert 0.001 < ms["min"] <= ms["low"] <= ms["median"] <= ms["high"] < 1000
    assert first["versions"]["onnxruntime"]


def test_a_table_of_ops(folder: Path, capsys) -> None:
    assert main(["profile", str(folder), "--ops", *SHORT]) == 0
    said = capsys.readouterr().out
    assert "Conv" in said
    assert "[CPUExecutionProvider]" in said
    assert "by kind" in said
    assert "measured" in said.splitlines()[0]


def test_a_slower_artifact_is_seen_to_be_slower(folder: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    edgevit.export(MODEL, target="linux-x86", format="onnx", output=big, batch=16)
    report = measure([subject_of(folder), subject_of(big)], threads=1, rounds=3)
    ratio = report.measured[1].ratio
    assert ratio is not None
    assert ratio > 2


def test_latency_of_known_rounds() -> None:
    latency = Latency.of([4.0, 1.0, 2.0, 3.0, 100.0])
    assert (latency.median, latency.low, latency.high, latency.least) == (3.0, 2.0, 4.0, 1.0)
    assert latency.spread == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("net.onnx", b"not a model", "ONNX Runtime does not take this file"),
        ("net.txt", b"a text", "not an artifact that runs here"),
        ("nowhere", None, "is not an exported folder"),
    ],
)
def test_what_cannot_be_timed(
    name: str, content: bytes | None, text: str, tmp_path: Path, capsys
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["profile", str(tmp_path / name), *SHORT, "--quiet"]) == 12
    said = capsys.readouterr().err
    assert text in said
    assert name in said


def test_core_ml_is_not_timed_here(tmp_path: Path, capsys) -> None:
    edgevit.export(MODEL, target="iphone", output=tmp_path / "ml")
    assert main(["profile", str(tmp_path / "ml"), "--quiet"]) == 12
    assert "does not run on this machine" in capsys.readouterr().err


def test_a_runtime_that_dies_is_an_error_and_not_our_end(folder: Path) -> None:
    with Worker("onnx", threads=1) as worker:
        worker.open(folder / "TinyHybrid.onnx")
        assert worker._process is not None
        os.kill(worker._process.pid, signal.SIGSEGV)
        os.waitid(os.P_PID, worker._process.pid, os.WEXITED | os.WNOWAIT)  # dead before it is asked
        with pytest.raises(BackendRuntimeError, match="died on") as caught:
            worker.run([np.zeros((1, 3, 64, 64), np.float32)])
        assert "SIGSEGV" in caught.value.why
        worker.open(folder / "TinyHybrid.onnx")  # a new process
        (before,) = worker.run([np.zeros((1, 3, 64, 64), np.float32)])
        assert before.shape == (1, 10)
        assert min(worker.seconds([np.zeros((1, 3, 64, 64), np.float32)], 2)) > 0
        (after,) = worker.run([np.zeros((1, 3, 64, 64), np.float32)])
        np.testing.assert_array_equal(after, before)  # opened again to be timed


def test_a_runtime_that_hangs_is_stopped(folder: Path) -> None:
    with Worker("onnx", threads=1, timeout=30) as worker:
        worker.open(folder / "TinyHybrid.onnx")
        assert worker._process is not None
        worker.timeout = 1
        os.kill(worker._process.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(BackendRuntimeError) as caught:
            worker.run([np.zeros((1, 3, 64, 64), np.float32)])
        assert time.monotonic() - started < 20
        assert "no answer in 1 s" in caught.value.why
