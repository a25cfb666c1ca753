"""Compilers for the cores: what they make, what is kept of it, and how they fail."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.run.elf import read_elf
from edgevit.backends.mcu.toolchain import Toolchain, default_cache, toolchain
from edgevit.errors import (
    InternalError,
    MemoryLimitError,
    MissingToolError,
    PackageError,
    UsageError,
)
from tests.backends.mcu.building import PROGRAMS, build

M4 = CORES["m4"]
SIZES = """
#include "ev_run.h"
const uint8_t table[1000] = {1};
uint32_t changing[50] = {1};
static volatile uint8_t zero[300];
EV_INPUT uint8_t given[77];
int main(void) { return table[zero[0]] + (int)changing[zero[1]] + given[0]; }
"""


def written(folder: Path, text: str, name: str = "part.c") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_sections_have_the_sizes_of_what_is_in_them(core: Core, tool: str, tmp_path: Path) -> None:
    maker = toolchain(tool)
    part = maker.compile(written(tmp_path, SIZES), core)
    elf = read_elf(maker.link([part], core, tmp_path / "sizes.elf", stack_size=2000))
    sections = elf.sections
    assert 1000 <= sections[".rodata"] < 1064
    assert 200 <= sections[".data"] < 216
    assert 300 <= sections[".bss"] < 332
    assert 77 <= sections[".noinit"] < 96
    assert sections[".stack"] == 2000
    assert 0 < sections[".text"] < 200, "start-up is not in it"
    assert elf.flash_bytes == sections[".text"] + sections[".rodata"] + sections[".data"]
    assert elf.ram_bytes == sum(sections[f".{name}"] for name in ("data", "bss", "noinit", "stack"))
    assert elf.symbol("table").size == 1000
    assert core.memory.flash_base <= elf.symbol("main").address
    assert elf.symbol("given").address >= core.memory.ram_base


@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_an_object_is_kept_until_what_it_is_made_of_changes(tool: str, tmp_path: Path) -> None:
    maker = Toolchain(toolchain(tool).maker, tmp_path / "cache")
    source = written(tmp_path, '#include "inner.h"\nint part(void) { return VALUE + MORE; }')
    inner = written(tmp_path, '#include "deep.h"\n#define VALUE 1', "inner.h")
    deep = written(tmp_path, "#define MORE 2", "deep.h")

    def compiled(optimize: str = "-O3", **defines: int) -> Path:
        return maker.compile(source, M4, optimize=optimize, defines=defines)

    first = compiled()
    made = first.stat().st_mtime_ns
    assert compiled() == first and first.stat().st_mtime_ns == made
    others = [compiled("-O2"), compiled(UNUSED=1), maker.compile(source, CORES["m7"])]
    deep.write_text("#define MORE 3")
    others.append(compiled())
    inner.write_text('#include "deep.h"\n#define VALUE 4')
    others.append(compiled())
    source.write_text('#include "inner.h"\nint part(void) { return VALUE; }')
    others.append(compiled())
    assert len({first, *others}) == 7


def test_an_object_killed_half_way_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Toolchain(toolchain("zig").maker, tmp_path / "cache")
    source = written(tmp_path, "int part(void) { return 1; }")

    def dies(words: list[str], **_: object) -> None:
        Path(words[-1]).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            maker.compile(source, M4)
    assert not list(tmp_path.rglob("*.o"))
    assert maker.compile(source, M4).stat().st_size > 4


@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_what_does_not_compile_says_where(tool: str, tmp_path: Path) -> None:
    source = written(tmp_path, "int part(void) { int unused = 1; return 2; }", "wrong.c")
    with pytest.raises(InternalError, match=r"could not compile .*wrong\.c") as caught:
        toolchain(tool).compile(source, M4)
    assert "wrong.c:1" in caught.value.why and "unused" in caught.value.why


@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_what_does_not_link_says_what_is_missing(tool: str, tmp_path: Path) -> None:
    maker = toolchain(tool)
    part = maker.compile(
        written(tmp_path, "int other(void);\nint main(void) { return other(); }"), M4
    )
    with pytest.raises(InternalError, match="could not link") as caught:
        maker.link([part], M4, tmp_path / "program.elf")
    assert "other" in caught.value.why
    assert not (tmp_path / "program.elf").exists()


@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_what_does_not_fit_says_by_how_much(tool: str, tmp_path: Path) -> None:
    maker = toolchain(tool)
    text = "static volatile char huge[4200000];\nint main(void) { return huge[3]; }"
    part = maker.compile(written(tmp_path, text), M4)
    with pytest.raises(MemoryLimitError, match=r"is \d+ bytes too large for the RAM .* Cortex-M4"):
        maker.link([part], M4, tmp_path / "program.elf")


@pytest.mark.parametrize("tool", ["zig", "gcc"])
def test_arithmetic_without_an_instruction_is_linked_in(tool: str, tmp_path: Path) -> None:
    text = """
    volatile unsigned long long left = 1000000007000000021u, right = 1000000007u;
    int main(void) { return (int)(left / right % 256); }
    """
    maker = toolchain(tool)
    core = CORES["m0plus"]
    part = maker.compile(written(tmp_path, text), core)
    elf = read_elf(maker.link([part], core, tmp_path / "program.elf"))
    assert "__aeabi_uldivmod" in elf.symbols


@pytest.mark.parametrize(
    ("core", "program", "package"),
    [
        ("m4", "arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("rv32", "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf"),
        ("m55", "clang", "clang"),
    ],
)
def test_a_missing_gcc_tells_the_install_line(
    core: str, program: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=f"{program} is not installed") as caught:
        toolchain("gcc").compile(PROGRAMS / "touched.c", CORES[core])
    assert f"apt-get install {package}" in caught.value.hint
    assert "`zig`" in caught.value.hint


def test_names_that_are_none() -> None:
    with pytest.raises(UsageError, match="no toolchain is called `gc`") as caught:
        toolchain("gc")
    assert "`gcc`" in caught.value.hint


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"\x7fELF" + bytes(40), os.urandom(64)):
        path = tmp_path / "program.elf"
        path.write_bytes(data)
        with pytest.raises(PackageError, match="not a program"):
            read_elf(path)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "edgevit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "edgevit"


def test_programs_are_the_same_each_time(tmp_path: Path) -> None:
    elves = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        elves.append(build(folder, "zig", M4, "mixed.c").read_bytes())
    assert elves[0] == elves[1]
