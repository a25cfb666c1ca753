"""C that strict projects take: no implicit change of sign, link-time optimisation, either compiler on every core."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edgevit.backends.mcu.board.weights import WeightsForm
from edgevit.backends.mcu.cores import CORES
from edgevit.support.resources import data_dir
from tests.backends.mcu.test_bundle import bundle, need, said

KERNELS = data_dir("kernels")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wcast-qual", "-Wstrict-aliasing=2", "-Werror")  # fmt: skip


@pytest.mark.parametrize(("core", "family"), [("m0plus", ""), ("m4", "_dsp"), ("m55", "_mve")])
def test_kernels_change_no_sign_by_themselves(core: str, family: str, tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    others = {"_dsp", "_mve"} - {family}
    sources = [
        path
        for path in sorted(KERNELS.glob("*/ev_*.c"))
        if path.stem.endswith(family) and not path.stem.endswith(tuple(others))
    ]
    assert len(sources) > 10
    includes = (f"-I{KERNELS / 'include'}", f"-I{KERNELS / 'run' / 'include'}")
    words = ["arm-none-eabi-gcc", *CORES[core].gcc, "-std=c99", "-ffreestanding", *STRICT, *includes, "-fsyntax-only"]  # fmt: skip
    done = subprocess.run([*words, *map(str, sources)], cwd=tmp_path, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[:4000]


@pytest.mark.parametrize("board", ["stm32f746", pytest.param("esp32-c3", marks=pytest.mark.long)])
def test_a_bundle_changes_no_sign_by_itself(board: str, tmp_path: Path) -> None:
    """The network's own file, its port and the self-test."""
    folder = bundle(tmp_path / "b", board, WeightsForm("c"))
    compiler = re.search(r"^CC = (\S+gcc)$", (folder / "Makefile").read_text(), re.MULTILINE)
    flags = re.search(r"CMAKE_C_FLAGS_INIT \"(.+)\"", (folder / "cmake" / "gcc.cmake").read_text())
    assert compiler and flags
    words = [*flags[1].split(), "-std=c99", "-O2", "-ffreestanding", "-DEV_MODEL_TRACE", *STRICT]
    words += ["-I.", "-Iinclude", "-Iport", "-Iport/include", "-Iselftest", "-fsyntax-only"]
    sources = (folder / "edgevit_model.c", *folder.glob("port/*.c"), *folder.glob("selftest/*.c"))  # fmt: skip
    said(folder, compiler[1], *words, *map(str, sources))


@pytest.mark.parametrize("board", [pytest.param("qemu-m4", marks=pytest.mark.long), "qemu-m55"])
def test_link_time_optimisation_changes_no_bit(board: str, tmp_path: Path) -> None:
    """By gcc, which takes the rules of aliasing at their word across all files; the M55's too."""
    folder = bundle(tmp_path / "b", board, WeightsForm("c"))
    flags = re.search(r"CMAKE_C_FLAGS_INIT \"(.+)\"", (folder / "cmake" / "gcc.cmake").read_text())
    assert flags
    words = ("make", "-s", "TOOLCHAIN=gcc", f"CPU={flags[1]} -flto -fstrict-aliasing", "run")
    assert said(folder, *words).endswith("golden ok\nend\n")
