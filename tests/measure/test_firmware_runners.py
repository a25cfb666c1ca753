"""The emulator as a runner, and the self-test over UART: QEMU's, through a pseudo-terminal, and lines we write."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, DeviceError, EdgevitError
from edgevit.measure import emulated
from edgevit.measure.serial.port import SerialPort
from edgevit.measure.serial.runner import model_hash
from edgevit.measure.serial.selftest import SelfTest, read_selftests
from tests.edited import edit
from tests.servers import needed, wait_until

TEST = "edgevit selftest 1 abc\nlayer conv 70\nlayer head.1 30\ntotal 100 1000\ngolden ok\nend\n"
READ = SelfTest("abc", (("conv", 70), ("head.1", 30)), 100, 1000, True)


def test_exact_counts_come_from_the_emulator_once(firmware: Path, monkeypatch, capsys) -> None:
    words = ["profile", str(firmware), "--on", "emulator", "--json", "--quiet"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    (result,) = report["results"]
    assert (result["kind"], result["unit"]) == ("emulated", "instructions")
    assert result["latency_ms"] is None
    assert sum(layer["cost"] for layer in result["layers"]) <= result["value"]
    assert result["memory"]["ram"] > result["memory"]["arena"] > 0
    assert result["golden_match"]
    monkeypatch.setattr(emulated, "run_firmware", None)  # it would be an error to run it again
    assert main(words) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["from_store"]
    assert again["results"][0]["value"] == result["value"]


def test_only_firmware_runs_on_the_emulator(exported: Path, capsys) -> None:
    assert main(["profile", str(exported), "--on", "emulator"]) == 2
    assert "is no firmware" in capsys.readouterr().err


@pytest.fixture
def uart(firmware: Path, tmp_path: Path) -> Iterator[str]:
    """The folder's own self-test on QEMU's board, its UART a pseudo-terminal."""
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    make, qemu = needed("make", "make"), needed("qemu-system-arm", "qemu-system-arm")
    bundle = tmp_path / "bundle"
    shutil.copytree(firmware / "firmware", bundle)
    built = subprocess.run(
        [make, "OUTPUT=uart", "TOOLCHAIN=gcc", "BUILD=built"],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    words = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "pty"]
    program = str(bundle / "built" / "selftest.elf")
    said = tmp_path / "qemu.txt"
    with said.open("w") as log:
        board = subprocess.Popen([qemu, *words, "-kernel", program], stdout=log, stderr=log)
    try:
        wait_until(lambda: "/dev/" in said.read_text())
        found = re.search(r"(/dev/\S+)", said.read_text())
        assert found is not None
        yield found[1]
    finally:
        board.kill()
        board.wait()


def test_the_self_test_over_qemus_uart(firmware: Path, uart: str, capsys) -> None:
    words = ["profile", str(firmware), "--on", f"serial:{uart}", "--limit", "60", "--json"]
    assert main([*words, "--quiet"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["kind"], result["unit"]) == (
        "emulated",
        "ticks",
    )  # an emulator's clock is no time
    assert result["value"] > 0
    assert result["layers"][0]["name"].startswith("conv2d_default")  # or what took its place
    assert "ticks at 25 MHz, golden vectors equal" in result["notes"][0]


@pytest.fixture
def wire() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A pseudo-terminal, and what writes to its other end without end, as a board does."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    stop = threading.Event()

    def repeat(text: str) -> None:
        while not stop.wait(0.02):
            os.write(ours, text.encode("latin-1"))

    threads: list[threading.Thread] = []

    def speak(text: str) -> None:
        threads.append(threading.Thread(target=repeat, args=[text], daemon=True))
        threads[0].start()

    yield os.ttyname(theirs), speak
    stop.set()
    for thread in threads:
        thread.join()
    os.close(ours)
    os.close(theirs)


def heard(path: str, limit: float = 5) -> list[SelfTest]:
    with SerialPort(path, 115200) as port:
        return read_selftests(port, 2, limit)


def test_listening_begins_anywhere(wire: tuple[str, Callable[[str], None]]) -> None:
    path, speak = wire
    speak("er conv 1\ntotal 5 5\nend\n" + TEST.replace("\n", "\r\n"))
    assert heard(path) == [READ, READ]


def test_a_garbled_test_is_passed_over(wire: tuple[str, Callable[[str], None]]) -> None:
    path, speak = wire
    speak(TEST.replace("total 100", "tot\xff 100") + TEST + TEST)
    assert heard(path) == [READ, READ]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", BackendRuntimeError, "does not say anything"),
        ("hello\n", BackendRuntimeError, "does not say anything"),
        (TEST.replace("layer", "lay?r"), BackendRuntimeError, "cannot be read"),
        (TEST.replace("selftest 1", "selftest 2"), DeviceError, "of version 2"),
    ],
)
def test_what_cannot_be_heard(
    text: str,
    error: type[EdgevitError],
    message: str,
    wire: tuple[str, Callable[[str], None]],
) -> None:
    path, speak = wire
    speak(text)
    started = time.monotonic()
    with pytest.raises(error, match=message):
        heard(path, limit=1)
    assert time.monotonic() - started < 5


def test_seconds_by_the_clock_that_a_board_says_it_has(
    firmware: Path, wire: tuple[str, Callable[[str], None]], tmp_path: Path, capsys
) -> None:
    board = tmp_path / "board"
    shutil.copytree(firmware, board)
    edit(board, sealed=True, target="stm32f746")
    path, speak = wire
    speak(TEST.replace("abc", model_hash(firmware)))
    words = ["profile", str(board), "--on", f"serial:{path}", "--limit", "5", "--quiet"]
    assert main([*words, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["kind"], result["unit"]) == ("measured", "seconds")
    assert result["latency_ms"]["rounds"] == [100.0] * 3  # 100 ticks of 1000 Hz
    assert [layer["cost"] for layer in result["layers"]] == [0.07, 0.03]
    assert main(words) == 0  # measured anew: a port does not tell which board is behind it
    said = capsys.readouterr().out
    assert "from the store" not in said
    assert "measured   100.000 ms" in said
    assert "70.000" in said
    assert "interleaved" not in said


@pytest.mark.parametrize(
    ("hash", "golden", "code", "message"),
    [
        ("0123", "ok", 17, "the board runs another model"),
        ("", "bad", 9, "the self-test failed on the board"),
    ],
)
def test_a_board_that_is_not_what_it_should_be(
    hash: str,
    golden: str,
    code: int,
    message: str,
    firmware: Path,
    wire: tuple[str, Callable[[str], None]],
    capsys,
) -> None:
    path, speak = wire
    speak(
        TEST.replace("abc", hash or model_hash(firmware)).replace("golden ok", f"golden {golden}")
    )
    words = ["profile", str(firmware), "--on", f"serial:{path}", "--limit", "5", "--quiet"]
    assert main(words) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("on", "code", "message"),
    [
        ("serial:/dev/no-such-tty", 17, "cannot be opened"),
        ("serial:/dev/null", 17, "is no serial port"),
        ("serial", 2, "is not a serial port"),
        ("serial:/dev/x?baud=fast", 2, "is not a serial port"),
    ],
)
def test_ports_that_are_none(on: str, code: int, message: str, firmware: Path, capsys) -> None:
    assert main(["profile", str(firmware), "--on", on, "--quiet"]) == code
    assert message in capsys.readouterr().err


FAKE_TOOL = (
    '#!/bin/sh\necho "$0 $@" >> "$FAKE_LOG"\n[ -z "$FAKE_FAILS" ] || { echo "no probe"; exit 1; }\n'
)


def test_flashing_with_fake_tools(
    firmware: Path, wire: tuple[str, Callable[[str], None]], tmp_path: Path, monkeypatch, capsys
) -> None:
    """Stand-ins for the tools: what they are asked, and what a failure of theirs becomes."""
    path, speak = wire
    speak(TEST.replace("abc", model_hash(firmware)))
    elf = tmp_path / "selftest.bin"
    elf.write_bytes(b"x")
    for tool in ("pyocd", "openocd", "esptool"):
        (tmp_path / tool).write_text(FAKE_TOOL)
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    words = ["profile", str(firmware), "--on", f"serial:{path}", "--limit", "5", "--quiet"]
    for tool, asked in (
        ("pyocd", f"flash --target chip {elf}"),
        ("openocd", f"-f chip -c program {{{elf}}} verify reset exit"),
        ("esptool", f"--chip chip --port {path} write_flash 0x0 {elf}"),
    ):
        assert main([*words, "--flash", tool, "--elf", str(elf), "--chip", "chip"]) == 0
        assert (tmp_path / "log").read_text().splitlines()[-1] == f"{tmp_path / tool} {asked}"
    for more, message in (
        (["--flash", "pyocd"], "which file should be flashed?"),
        (["--flash", "pyocd", "--elf", str(elf)], "which board does pyocd write to?"),
        (["--flash", "jlink", "--elf", str(elf)], "no tool that flashes is called `jlink`"),
    ):
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setenv("FAKE_FAILS", "1")
    assert main([*words, "--flash", "pyocd", "--elf", str(elf), "--chip", "chip"]) == 17
    assert "no probe" in capsys.readouterr().err
