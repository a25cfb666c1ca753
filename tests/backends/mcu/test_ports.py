"""Ports of boards: what their start-up is said to set, and images as a boot ROM takes them."""

from __future__ import annotations

import re
import runpy
import struct
import subprocess
import time
from pathlib import Path

import pytest

from edgevit.backends.mcu.board.weights import WeightsForm
from edgevit.support.resources import data_dir
from edgevit.targets import list_targets, load_target
from tests.backends.mcu.test_bundle import bundle, need, said

PORTS = data_dir("kernels") / "port"
DOCS = Path(__file__).parents[3] / "docs" / "ports.md"
OWN = sorted(
    target.name for target in list_targets() if target.family == "mcu" and (PORTS / f"{target.name}.c").is_file()
)  # fmt: skip


def _crc(data: bytes) -> int:
    """As RP2040's boot ROM computes it: polynomial 0x04C11DB7, from the highest bit, nothing reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


@pytest.fixture(scope="module")
def pico(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = bundle(tmp_path_factory.mktemp("pico") / "b", "rp2040", WeightsForm("c"))
    said(folder, "make", "-s", "BUILD=build", "uf2")
    return folder


def test_a_pico_boots_what_is_built(pico: Path) -> None:
    image = (pico / "build" / "selftest.bin").read_bytes()
    assert struct.unpack("<I", image[252:256])[0] == _crc(image[:252])
    stack, reset = struct.unpack("<2I", image[256:264])
    assert 0x20000000 < stack <= 0x20042000 and 0x10000100 < reset < 0x10000000 + len(image)
    assert reset % 2 == 1


def test_the_boot_stage_is_its_source(pico: Path, tmp_path: Path) -> None:
    said(tmp_path, "arm-none-eabi-gcc", "-c", str(PORTS / "rp2040-boot.S"), "-o", "boot.o")
    said(tmp_path, "arm-none-eabi-objcopy", "-O", "binary", "boot.o", "boot.bin")
    stage = (tmp_path / "boot.bin").read_bytes()
    image = (pico / "build" / "selftest.bin").read_bytes()
    assert len(stage) <= 252 and image[:252] == stage.ljust(252, b"\0")


def test_a_uf2_file_is_the_image(pico: Path) -> None:
    image = (pico / "build" / "selftest.bin").read_bytes()
    file = (pico / "build" / "selftest.uf2").read_bytes()
    count, payload = len(file) // 512, b""
    assert len(file) % 512 == 0 and count == -(-len(image) // 256)
    for number in range(count):
        block = file[number * 512 :][:512]
        first, second, flags, place, size, index, total, family = struct.unpack("<8I", block[:32])
        assert (first, second, flags, size) == (0x0A324655, 0x9E5D5157, 0x2000, 256)
        assert (index, total, family) == (number, count, 0xE48BFF56)
        assert place == 0x10000000 + 256 * number
        assert block[508:] == struct.pack("<I", 0x0AB16F30)
        payload += block[32:288]
    assert payload.startswith(image) and not any(payload[len(image) :])


def test_the_writer_takes_any_length() -> None:
    blocks = runpy.run_path(str(data_dir("kernels") / "bundle" / "uf2.py"))["blocks"]
    assert [len(blocks(bytes(n), 0, 1)) for n in (0, 1, 256, 257)] == [0, 512, 512, 1024]


@pytest.mark.parametrize("name", OWN)
def test_the_clock_is_the_fact(name: str) -> None:
    """That of the target's file is what the port says it sets."""
    text = (PORTS / f"{name}.c").read_text()
    stated = re.search(r"#define EV_CLOCK_HZ (\d+)u", text)
    divide = re.search(r"#define EV_RP2_DIVIDE (\d+)", text)
    hz = int(stated[1]) if stated else 1500000000 // (2 * int(divide[1])) if divide else None
    assert load_target(name).port_clock_hz == hz
    most = load_target(name).clock_hz
    assert hz is None or (most is not None and hz <= most)


@pytest.mark.parametrize("name", OWN)
def test_every_step_of_a_start_up_is_in_the_docs(name: str) -> None:
    """With the document and the section that it is by."""
    text = DOCS.read_text()
    assert f"## `{name}`" in text
    rows = text.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
    assert rows.count("\n|") > 4


def test_nothing_is_written_to_ram_before_the_supply(tmp_path: Path) -> None:
    """On STM32H743: not even a call's return address."""
    need("arm-none-eabi-objdump", "binutils-arm-none-eabi")
    folder = bundle(tmp_path / "b", "stm32h743", WeightsForm("c"))
    said(folder, "make", "-s", "BUILD=build")
    code = said(folder, "arm-none-eabi-objdump", "-d", "--no-show-raw-insn", "build/selftest.elf")
    reset, early = (
        re.search(rf"<{name}>:\n((?:.+\n)+)", code) for name in ("ev_reset", "ev_port_early")
    )
    assert reset and early
    stores = re.findall(r"\t(str\S*|push|stm\S*)\t(.+)", reset[1] + early[1])
    assert [words for _, words in stores] == ["r1, [r0, #12]"]
    order = [reset[1].index(word) for word in ("msr" if "msr" in reset[1] else "mov", "ev_port_early", "bx")]  # fmt: skip
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("board", "machine"),
    [pytest.param("nrf51822", "microbit", marks=pytest.mark.long), ("stm32f407", "netduinoplus2")],
)
def test_text_comes_over_the_uart_of_the_emulated_board(board: str, machine: str, tmp_path: Path) -> None:  # fmt: skip
    """The board's own port, its own UART: QEMU models both."""
    emulated = {"nrf51822": "qemu-nrf51", "stm32f407": "qemu-stm32f405"}[board]
    folder = bundle(tmp_path / "b", emulated, WeightsForm("c"))
    assert (folder / "port" / f"{board}.c").is_file()
    said(folder, "make", "-s", "BUILD=build", "OUTPUT=uart")
    first = ["-serial", "null"] if board == "stm32f407" else []
    words = ["qemu-system-arm", "-M", machine, "-display", "none", "-monitor", "none", *first, "-serial", "file:said.txt", "-kernel", "build/selftest.elf"]  # fmt: skip
    emulator = subprocess.Popen(words, cwd=folder)
    try:
        end = time.monotonic() + 30
        while "end\n" not in _text(folder / "said.txt") and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        emulator.kill()
        emulator.wait()
    assert "golden ok\nend\n" in _text(folder / "said.txt")


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
