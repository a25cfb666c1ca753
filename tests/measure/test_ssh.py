"""ssh:// against a real server on loopback, with real keys."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import DeviceError, UsageError
from edgevit.measure.figures import Settings
from edgevit.measure.runner import open_runner
from tests.edited import edit
from tests.measure.boards import Board
from tests.servers import free_port, wait_until

SHORT = ["--rounds", "3", "--warmup", "1", "--threads", "1", "--quiet"]


def test_a_figure_from_the_board_with_its_state(board: Board, exported: Path, capsys) -> None:
    words = ["profile", str(exported), "--on", board.address, *SHORT]
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (result,) = report["results"]
    assert report["kind"] == result["kind"] == "measured"
    assert 0.01 < result["latency_ms"]["median"] < 1000
    assert len(result["latency_ms"]["rounds"]) == 3
    host = report["host"]
    assert host["address"] == f"ssh://{os.environ.get('USER') or 'root'}@127.0.0.1:{board.port}"
    assert host["machine"] == os.uname().machine
    assert os.uname().release in host["os"]
    assert host["versions"]["onnxruntime"]
    assert "computes the same on 127.0.0.1: relative L2" in result["notes"][0]
    assert list(board.work.iterdir()) == []  # nothing stays
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["from_store"]


def test_by_turns_and_a_damaged_file_loses_one_figure_alone(
    board: Board, exported: Path, tmp_path: Path, capsys
) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model")
    paths = [str(exported), str(bad), str(exported / "TinyHybrid.onnx")]
    assert main(["profile", *paths, "--on", board.address, "--json", *SHORT]) == 14
    said = capsys.readouterr()
    good, lost, again = json.loads(said.out)["results"]
    assert good["latency_ms"]["median"] > 0
    assert 0.2 < again["ratio"] < 5  # the same file
    assert lost["value"] is None
    assert "cannot run bad.onnx" in lost["error"]["message"]
    assert "cannot run bad.onnx" in said.err
    assert list(board.work.iterdir()) == []


def fails(address: str, path: Path, capsys, *words: str) -> str:
    code = main(["profile", str(path), "--on", address, *SHORT, *words])
    assert code != 0
    return f"{code} {capsys.readouterr().err}"


def test_unreachable(exported: Path, board: Board, capsys) -> None:
    address = board.address.replace(str(board.port), str(free_port()))
    said = fails(address, exported, capsys)
    assert said.startswith("17 error[E0017]: 127.0.0.1 cannot be reached")
    assert "refused" in said


def test_no_such_host(exported: Path, capsys) -> None:
    said = fails("ssh://pi@no-such-board.invalid", exported, capsys)
    assert "no-such-board.invalid cannot be reached" in said


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"known_hosts": "no_hosts"}, "the key of 127.0.0.1 is not known"),
        ({"known_hosts": "other_hosts"}, "the key of 127.0.0.1 has changed"),
        ({"key": "stranger"}, "127.0.0.1 does not take our key"),
    ],
)
def test_keys(changes: dict[str, str], text: str, board: Board, exported: Path, capsys) -> None:
    other = board.configured("other", **{k: board.folder / v for k, v in changes.items()})
    said = fails(other.address, exported, capsys)
    assert text in said
    assert said.startswith("17 ")


def test_another_architecture_is_refused(
    board: Board, exported: Path, tmp_path: Path, capsys
) -> None:
    folder = tmp_path / "arm"
    shutil.copytree(exported, folder)
    edit(folder, target="raspberry-pi-4")
    said = fails(board.address, folder, capsys)
    assert f"TinyHybrid.onnx is for aarch64, 127.0.0.1 is {os.uname().machine}" in said
    assert said.startswith("17 ")


def test_a_library_tells_its_architecture_itself(board: Board, tmp_path: Path, capsys) -> None:
    library = tmp_path / "net.so"
    header = bytearray(64)
    header[:4], header[18] = b"\x7fELF", 0xB7
    library.write_bytes(header)
    assert "net.so is for aarch64" in fails(board.address, library, capsys, "--trust")


def test_a_library_of_somebody_elses_is_not_sent(board: Board, tmp_path: Path, capsys) -> None:
    (tmp_path / "net.so").write_bytes(b"\x7fELF" + bytes(60))
    said = fails(board.address, tmp_path / "net.so", capsys)
    assert said.startswith("12 error[E0012]: code that another user exported is not run")
    assert "--trust" in said


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=touch CANARY;.onnx", "-F.onnx", "nowhere:net.onnx", "$(touch CANARY).onnx"]
)  # fmt: skip
def test_a_name_is_no_option_and_no_command(
    name: str, board: Board, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    shutil.copy(exported / "TinyHybrid.onnx", here / name)
    assert main(["profile", f"./{name}", "--on", board.address, *SHORT]) == 0, capsys.readouterr()
    assert os.listdir(here) == [name]
    assert list(board.work.iterdir()) == []


def test_a_full_device_is_refused_before_anything_is_sent(
    board: Board, tmp_path: Path, capsys
) -> None:
    """A file of holes, larger than what is free."""
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(shutil.disk_usage(board.work).free + 1_000_000_000)
    said = fails(board.address, huge, capsys, "--no-store")
    assert said.startswith("17 error[E0017]: no space left on 127.0.0.1")
    assert "MB are needed" in said
    assert list(board.work.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """3 MB of disk."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_while_sending_is_told_and_cleaned(
    board: Board, exported: Path, small_disk: Path, monkeypatch, capsys
) -> None:
    big = small_disk.parent / "big.onnx"
    big.write_bytes(bytes(4_000_000))
    monkeypatch.setattr("edgevit.measure.ssh.remote_artifact._require_space", lambda *_: None)
    said = fails(replace(board, work=small_disk).address, big, capsys)
    assert "no space left on 127.0.0.1" in said
    assert list(small_disk.iterdir()) == []


def endless(path: Path) -> Path:
    """A net that never ends, and does not listen either: its loop is inside the runtime."""
    import onnx
    from onnx import TensorProto, helper

    cond = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    step = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("x", "y"))
    a, b = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("a", "b"))
    out = helper.make_tensor_value_info("d", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Sin", ["a"], ["b"]), helper.make_node("Identity", ["c"], ["d"])],
        "body",
        [step, cond, a],
        [out, b],
    )
    turns = helper.make_tensor("n", TensorProto.INT64, [], [2**60])
    yes = helper.make_tensor("t", TensorProto.BOOL, [], [True])
    loop = helper.make_node("Loop", ["n", "t", "x"], ["y"], body=body)
    graph = helper.make_graph([loop], "net", [x], [y], [turns, yes])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def test_a_hung_run_is_killed_on_both_sides(
    board: Board, exported: Path, tmp_path: Path, capsys
) -> None:
    hung = endless(tmp_path / "endless.onnx")
    started = time.monotonic()
    said = fails(board.address, hung, capsys, "--limit", "2")
    assert time.monotonic() - started < 30
    assert said.startswith("14 error[E0014]: endless.onnx hangs on 127.0.0.1")
    assert "no answer in 2 s; it was killed there" in said
    assert list(board.work.iterdir()) == []
    assert not any(b"far.py\0onnx\0endless.onnx" in command for command in commands())


def commands() -> Iterator[bytes]:
    """Of all processes, as Linux lists them."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def test_nothing_stays_when_we_are_killed(board: Board, exported: Path) -> None:
    words = ["profile", str(exported), "--on", board.address, "--rounds", "100000", "--quiet"]
    ours = subprocess.Popen([sys.executable, "-m", "edgevit", *words])
    wait_until(lambda: any(board.work.iterdir()), 60)
    time.sleep(1)
    ours.kill()
    ours.wait()
    wait_until(lambda: not any(board.work.iterdir()), 30)


def test_no_runtime_over_there(board: Board, exported: Path, tmp_path: Path, capsys) -> None:
    bare = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if bare is None:
        pytest.skip("there is no other python3")
    bare_board = replace(board, python="/no/such/python")
    assert "/no/such/python is not on 127.0.0.1" in fails(bare_board.address, exported, capsys)
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {bare} -I -S "$@"\n')
    wrapper.chmod(0o755)
    said = fails(replace(board, python=str(wrapper)).address, exported, capsys)
    assert "onnxruntime is not installed on 127.0.0.1" in said
    assert "-m pip install onnxruntime numpy" in said


def test_a_lost_connection_is_tried_once_more(board: Board, exported: Path, monkeypatch) -> None:
    from edgevit.measure.ssh.remote_artifact import OpenedThere

    opened: list[OpenedThere] = []
    seconds = OpenedThere.seconds

    def breaks_once(self: OpenedThere, runs: int) -> list[float]:
        opened.append(self)
        if len(opened) == 3:
            self._process.kill()  # our end of the connection
            raise DeviceError("lost", retryable=True)
        return seconds(self, runs)

    monkeypatch.setattr(OpenedThere, "seconds", breaks_once)
    runner = open_runner(board.address)
    session = runner.measure([runner.subject(exported)], Settings(threads=1, rounds=3))
    assert len(session.figures[0].rounds) == 3
    assert opened[0] is not opened[-1]


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://pi:secret@board",
        "ssh://board?pyton=x",
        "ssh://b:x",
    ],
)
def test_wrong_addresses(address: str) -> None:
    with pytest.raises(UsageError):
        open_runner(address)
