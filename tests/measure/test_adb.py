"""adb: its own server for what goes wrong without a device; a FAKE device, a shell script, for the rest."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError
from edgevit.measure.adb.binaries import device_binaries
from tests.servers import free_port, needed

SHORT = ["--rounds", "3", "--warmup", "1", "--threads", "2", "--quiet"]

# Stands in for adb and for a device behind it: its /data/local/tmp is a folder, its shell is this machine's.
FAKE_ADB = r"""#!/bin/sh
[ "$1" = -s ] && { [ "$2" = FAKE ] || { echo "adb: device '$2' not found" >&2; exit 1; }; shift 2; }
case $1 in
push) cp "$2" "$(echo "$3" | sed "s#/data/local/tmp#$FAKE_DEVICE#")" ;;
shell)
    getprop() {
        case $1 in
        ro.product.model) echo "Fake Phone" ;; ro.soc.manufacturer) echo Nobody ;;
        ro.soc.model) echo F1 ;; ro.build.version.release) echo 14 ;;
        ro.product.cpu.abi) echo "${FAKE_ABI:-x86_64}" ;; ro.serialno) echo FAKE ;; esac
    }
    df() { echo "Filesystem 1K-blocks Used Available Use% Mounted"; echo "/fake 9 9 ${FAKE_FREE:-99999} 1% /data"; }
    eval "$(echo "$2" | sed "s#/data/local/tmp#$FAKE_DEVICE#g")" ;;
esac
"""
# What LiteRT's benchmark_model prints, for 50 runs in the manual's example, here for as many as are asked.
FAKE_BENCHMARK = r"""#!/bin/sh
for word; do case $word in --num_runs=*) runs=${word#*=} ;; --num_threads=*) threads=${word#*=} ;;
    --graph=*) [ -s "${word#*=}" ] || exit 3 ;; esac; done
[ -n "$FAKE_HANG" ] && exec sleep 60
echo "INFO: Running benchmark for at least 1 iterations"
echo "INFO: count=1 curr=360262"
echo "INFO: count=$runs first=2490 curr=2508 min=2470 max=2544 avg=2496.84 std=14 p5=2470 median=2496 p95=2540"
echo "INFO: Inference timings in us: Init: 16242, First inference: 360262, Warmup (avg): 304586, Inference (avg): 2496.84" >&2
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the fake device calls /data/local/tmp."""
    programs, device = tmp_path / "bin", tmp_path / "device"
    programs.mkdir()
    device.mkdir()
    (programs / "adb").write_text(FAKE_ADB)
    (programs / "adb").chmod(0o755)
    (tmp_path / "benchmark_model").write_text(FAKE_BENCHMARK)
    (tmp_path / "net.tflite").write_bytes(b"for a fake device")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_DEVICE", str(device))
    return device


def profiled(fake: Path, capsys, *words: str) -> tuple[int, str, str]:
    folder = fake.parent
    on = f"adb:FAKE?runner={folder / 'benchmark_model'}"
    code = main(["profile", str(folder / "net.tflite"), "--on", on, *SHORT, *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_figure_of_the_fake_device(fake: Path, capsys) -> None:
    code, out, err = profiled(fake, capsys, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["results"][0]["latency_ms"]["median"] == pytest.approx(2.496)
    assert report["host"]["cpu"] == "Fake Phone, Nobody F1"
    assert report["host"]["os"].startswith("Android 14, Linux ")
    assert report["host"]["address"] == "adb:FAKE"
    assert "by benchmark_model; outputs are not compared" in report["results"][0]["notes"][0]
    assert list(fake.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["$(touch CANARY).tflite", "a;touch CANARY;.tflite", "-p -a.tflite", "a'b.tflite"]
)
def test_a_name_is_no_command_on_the_device(
    name: str, fake: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """The device's shell gets one word, adb an absolute path."""
    monkeypatch.chdir(fake.parent)
    (fake.parent / name).write_bytes(b"for a fake device")
    on = f"adb:FAKE?runner={fake.parent / 'benchmark_model'}"
    assert main(["profile", f"./{name}", "--on", on, *SHORT]) == 0, capsys.readouterr()
    assert not (fake.parent / "CANARY").exists()
    assert list(fake.iterdir()) == []


def test_what_a_fake_device_refuses(fake: Path, exported: Path, monkeypatch, capsys) -> None:
    assert main(["profile", str(exported), "--on", "adb", *SHORT]) == 2
    assert "a onnx artifact is not timed by adb" in capsys.readouterr().err
    assert main(["profile", str(fake.parent / "net.tflite"), "--on", "adb", *SHORT]) == 2
    assert "which benchmark_model should run on the device?" in capsys.readouterr().err
    monkeypatch.setenv("FAKE_FREE", "600")
    code, _, err = profiled(fake, capsys)
    assert code == 17
    assert "no space left on the device" in err


def test_a_run_that_hangs_on_the_fake_device(fake: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FAKE_HANG", "1")
    code, _, err = profiled(fake, capsys, "--limit", "1")
    assert code == 14
    assert "net.tflite hangs on the device" in err
    assert list(fake.iterdir()) == []


@pytest.fixture
def adb_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """adb's own server, on a port of its own."""
    adb = needed("adb", "adb")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free_port()))
    yield adb
    subprocess.run([adb, "kill-server"], capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize(
    ("on", "text"),
    [
        ("adb", "no Android device is connected"),
        ("adb:NOSUCH", "no Android device with this serial is connected"),
    ],
)
def test_a_real_server_without_devices(
    on: str, text: str, adb_server: str, tmp_path: Path, capsys
) -> None:
    (tmp_path / "net.tflite").write_bytes(b"x")
    (tmp_path / "benchmark_model").write_bytes(b"x")
    on = f"{on}?runner={tmp_path / 'benchmark_model'}"
    assert main(["profile", str(tmp_path / "net.tflite"), "--on", on, *SHORT]) == 17
    said = capsys.readouterr().err
    assert text in said
    listed = subprocess.run([adb_server, "devices"], capture_output=True, text=True, check=True)
    assert listed.stdout.startswith("List of devices attached")  # the server answers
    assert "daemon started" not in listed.stderr  # and it was ours that started it


def test_what_executor_runner_prints() -> None:
    said = "I 00:00:00.0 executor_runner.cpp:365] Model executed successfully 4 time(s) in 10.000000 ms."
    assert device_binaries()["executorch"].seconds(said, 4) == pytest.approx([0.0025, 0.0025])
    with pytest.raises(BackendRuntimeError, match="gives no time"):
        device_binaries()["executorch"].seconds("E executor_runner.cpp: failed to load", 4)
