"""Firmware as a device of a split model: a program in C on Linux, and one on an emulated Cortex-M, answer as the whole model does."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.split import Split, export_split

pytest.importorskip("onnxruntime")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.middle = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 1))
        self.head = nn.Linear(6, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.first(image).relu()
        return self.head(self.middle(x).flatten(2).mean(-1))


IMAGE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """The kernels of a Cortex-M3 are portable C."""
    return export_split(
        Net().eval(), (IMAGE,), targets=["linux-x86", "qemu-m3"], formats=["onnx", "mcu"],
        rates=[1.0, 1.0], output=tmp_path_factory.mktemp("split") / "out",
    )  # fmt: skip


def row(split: Split, *devices: str, **how: Any) -> Any:
    spec = importlib.util.spec_from_file_location("run_split", split.directory / "run_split.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.Row(split.directory, list(devices) or None, **how)


@pytest.fixture(scope="module")
def on_linux(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("linux")
    firmware = split.directory / "part_2" / "firmware"
    device = split.directory / "device_2"
    sources = [*device.glob("split.c"), device / "main_posix.c", *firmware.glob("edgevit_model*.c"), *firmware.glob("kernels/*.c")]  # fmt: skip
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    includes = [f"-I{path}" for path in (device, firmware, firmware / "include")]
    subprocess.run(["gcc", *flags, *includes, *map(str, sources), "-o", "part"], cwd=folder, check=True)  # fmt: skip
    process = subprocess.Popen([folder / "part", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"127.0.0.1:{process.stdout.readline().split()[-1]}"
    process.kill()
    process.wait()


@contextmanager
def on_qemu(split: Split, folder: Path) -> Iterator[str]:
    """Its UART is a TCP port."""
    bundle = folder / "part_2" / "firmware"
    shutil.copytree(split.directory / "part_2", bundle.parent)
    shutil.copytree(split.directory / "device_2", folder / "device_2")
    app = " ".join(f"../../device_2/{name}.c" for name in ("split", "main_board"))
    subprocess.run(["make", "-s", "-C", bundle, "app", f"APP={app}", "TOOLCHAIN=gcc", "OUTPUT=uart", "BUILD=build"], check=True)  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["qemu-system-arm", "-M", "mps2-an385", "-cpu", "cortex-m3", "-display", "none", "-monitor", "none"]  # fmt: skip
    serial = ["-serial", f"tcp:127.0.0.1:{port},server=on,wait=off"]
    process = subprocess.Popen([*words, *serial, "-kernel", bundle / "build" / "app.elf"])
    host, end = ("127.0.0.1", port), time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(host) == 0:
                break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_a_program_on_linux_computes_what_the_model_does(split: Split, on_linux: str) -> None:
    image = IMAGE.numpy()
    (here,) = row(split)[1](image)
    _, there = row(split, "here", on_linux)
    assert np.array_equal(there(image)[0], here) and np.array_equal(there(image)[0], here)
    expected = Net().eval()(IMAGE)
    assert (torch.from_numpy(np.array(here)) - expected).norm() < 0.05 * expected.norm()
    assert split.plan["parity"]["to_model"] < 0.05


def test_a_serial_line_carries_the_same(split: Split, on_linux: str) -> None:
    """One end of a pseudo-terminal; the other is joined to the program's connection."""
    board, line = os.openpty()
    tty.setraw(board)
    host, _, port = on_linux.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:

        def carry() -> None:
            with suppress(OSError, ValueError):
                while ready := select.select([board, connection], [], [], 10)[0]:
                    if board in ready:
                        connection.sendall(os.read(board, 4096))
                    if connection in ready:
                        if not (data := connection.recv(4096)):
                            return
                        os.write(board, data)

        threading.Thread(target=carry, daemon=True).start()
        image = IMAGE.numpy()
        _, there = row(split, "here", f"serial:{os.ttyname(line)}")
        assert np.array_equal(there(image)[0], row(split)[1](image)[0])
        connection.shutdown(socket.SHUT_RDWR)
    for path in ("/dev/null", "/dev/none"):
        module, dead = row(split, "here", f"serial:{path}")
        with pytest.raises(module.DeviceLostError, match="device 2"):
            dead(image)


def test_a_message_of_another_form_is_refused(split: Split, on_linux: str) -> None:
    host, _, port = on_linux.rpartition(":")
    for nonsense in (b"\xff\xff\xff\xff", b"\x02\x00\x00\x00[]", b"\x00" * 400):
        # The other side may be gone already.
        with socket.create_connection((host, int(port)), 5) as connection, suppress(OSError):
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
    module, strict = row(split, "here", on_linux, timeout=2)
    strict.plan["parts"][1]["wire"]["inputs"][0]["scale"] *= 2
    with pytest.raises(module.DeviceLostError, match="device 2"):
        strict(IMAGE.numpy())


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("qemu-system-arm") and shutil.which("arm-none-eabi-gcc")),
    reason="apt-get install qemu-system-arm gcc-arm-none-eabi",
)
def test_an_emulated_board_computes_what_the_model_does(split: Split, tmp_path: Path) -> None:
    image = IMAGE.numpy()
    (here,) = row(split)[1](image)
    with on_qemu(split, tmp_path) as address:
        (there,) = row(split, "here", address, timeout=20)[1](image)
    assert np.array_equal(there, here)
