"""What only TVM does: libraries for other machines, a script beside them, and boards behind a tracker."""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgevit
from edgevit.backends.tvm.rpc import RemoteSession
from edgevit.backends.worker import Worker
from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, PackageError, TargetError
from edgevit.export.result import ExportResult
from edgevit.exported.golden import load_golden
from tests import ROOT

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    folder = tmp_path_factory.mktemp("tvm") / "x86"
    return edgevit.export(MODEL, target="linux-x86", format="tvm", output=folder)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    folder = tmp_path_factory.mktemp("tvm") / "arm"
    return edgevit.export(MODEL, target="raspberry-pi-4", format="tvm", output=folder)


def test_the_library_for_a_board_is_of_the_boards_machine(
    board: ExportResult,
) -> None:
    head = board.artifact.read_bytes()[:20]
    assert head[:4] == b"\x7fELF"
    assert int.from_bytes(head[16:18], "little") == 3  # a shared object
    assert int.from_bytes(head[18:20], "little") == 183  # AArch64
    if shutil.which("file"):
        said = subprocess.check_output(["file", "-b", board.artifact], text=True)
        assert "ELF 64-bit LSB shared object, ARM aarch64" in said
    machine = board.manifest["machine"]
    assert (machine["triple"], machine["cpu"]) == ("aarch64-unknown-linux-gnu", "cortex-a72")


def test_it_is_checked_through_a_twin_for_this_machine(
    board: ExportResult,
) -> None:
    assert board.passed
    assert [p.stage for p in board.parity] == ["rewritten", "host build", "other inputs"]
    assert "was not run here" in board.manifest["notes"][0]
    for text in (str(board), (board.directory / "report.html").read_text()):
        assert "its twin for this machine computes the same thing" in text
        assert "was NOT run" in text
    assert sorted(p.name for p in board.directory.iterdir()) == [
        "TinyHybrid.so",
        "TinyHybrid.so.json",
        "call",
        "edgevit.json",
        "golden.safetensors",
        "graph",
        "report.html",
        "run.py",
        "summary.txt",
    ]


def test_it_does_not_run_here_and_says_so(board: ExportResult, capsys) -> None:
    assert main(["verify", str(board.directory)]) == 12
    assert "is a library for aarch64" in capsys.readouterr().err


def test_the_library_for_this_machine_runs(here: ExportResult, capsys) -> None:
    assert [p.stage for p in here.parity] == ["rewritten", "runtime", "other inputs"]
    assert here.passed
    assert main(["verify", str(here.directory)]) == 0
    said = capsys.readouterr().out
    assert "computes the same thing" in said
    assert "NOT run" not in said


def test_the_script_beside_it_runs_it(here: ExportResult, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(here.directory, tmp_path / "board"))
    (image,), (expected,) = load_golden(folder)
    np.save(folder / "image.npy", image.numpy())
    words = [sys.executable, "run.py", "image.npy", "--repeats", "2", "--threads", "1"]
    said = subprocess.check_output(words, cwd=folder, text=True)
    assert "(1, 10) float32" in said
    assert "median" in said
    found = np.load(folder / "output_0.npy")
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    wrong = subprocess.run(
        [*words[:2], "output_0.npy"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert wrong.returncode != 0
    assert "must be [1, 3, 64, 64] float32" in wrong.stderr


def test_phones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="does not take the format"):
        edgevit.export(MODEL, target="pixel-6", format="tvm", output=tmp_path / "o")


def test_without_the_file_beside_it(here: ExportResult, tmp_path: Path) -> None:
    shutil.copy(here.artifact, tmp_path)
    with Worker("tvm", threads=1) as worker, pytest.raises(PackageError, match="not known"):
        worker.open(tmp_path / here.artifact.name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def tracker() -> Iterator[int]:
    """TVM's own tracker, and a server registered with it: what stands on a board, on loopback."""
    port, server_port = free_port(), free_port()
    python = [sys.executable, "-m"]
    ends = lambda first: ["--port", str(first), "--port-end", str(first + 10)]  # noqa: E731
    environment = {**os.environ, "TVM_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    processes = [
        subprocess.Popen(
            [*python, "tvm.exec.rpc_tracker", "--host", "127.0.0.1", *ends(port)],
            start_new_session=True,
            **quiet,
        ),
        subprocess.Popen(
            [
                *python,
                "tvm.exec.rpc_server",
                "--host",
                "127.0.0.1",
                *ends(server_port),
                "--tracker",
                f"127.0.0.1:{port}",
                "--key",
                "board",
            ],
            start_new_session=True,
            **quiet,
        ),
    ]
    try:
        wait_for_board(port)
        yield port
    finally:
        for process in processes:
            os.killpg(process.pid, 9)
            process.wait()


def wait_for_board(port: int) -> None:
    from tvm import rpc

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if '"board"' in json.dumps(
                list(rpc.connect_tracker("127.0.0.1", port).summary()["queue_info"])
            ):
                return
        except Exception:
            pass
        time.sleep(0.3)
    raise TimeoutError("the tracker has no board after a minute")


def test_a_board_behind_a_tracker(tracker: int, here: ExportResult) -> None:
    (image,), (expected,) = load_golden(here.directory)
    session = RemoteSession(here.artifact, "127.0.0.1", tracker, "board")
    (found,) = session.run([image.numpy()])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    times = session.seconds([image.numpy()], 5)
    assert len(times) == 5
    assert all(0 < seconds < 5 for seconds in times)
    del session  # the board serves one at a time, and the next would wait for a minute
    gc.collect()


def test_profile_on_a_board_behind_a_tracker(tracker: int, here: ExportResult, capsys) -> None:
    on = f"tvm://127.0.0.1:{tracker}/board"
    words = ["profile", str(here.directory), "--on", on, "--rounds", "3", "--threads", "1"]
    assert main([*words, "--json", "--quiet"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert 0 < result["latency_ms"]["median"] < 5000
    assert "computes the same on board: relative L2" in result["notes"][0]


def test_no_tracker_is_an_error_of_ours(here: ExportResult) -> None:
    with pytest.raises(BackendRuntimeError, match="no board answers") as caught:
        RemoteSession(here.artifact, "127.0.0.1", free_port(), "board")
    assert "tracker" in caught.value.hint
