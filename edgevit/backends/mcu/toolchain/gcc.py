"""GCC of the distribution for Arm and RISC-V; clang compiles where gcc 12 fails on MVE."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from edgevit.backends.mcu.cores import Core
from edgevit.errors import MissingToolError

_PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "clang": "clang-19",
}
_CLANGS = ("clang-19", "clang-20", "clang-18", "clang-17", "clang-16", "clang-15", "clang")


# gcc turns the loop of a memset into a call of memset, even inside memset. It makes functions that are the same one, and
# copies of others under new names: what runs in them would count for their neighbours.
_FLAGS = ("-fno-tree-loop-distribute-patterns", "-fno-ipa-icf", "-fno-ipa-cp", "-fno-ipa-sra")


class Gcc:
    name = "gcc"
    libraries = ("-lgcc",)
    late_libraries = ()

    def version(self, core: Core) -> str:
        return _version(_compiler(core))

    def compile_command(self, core: Core) -> list[str]:
        if core.clang:
            return [_compiler(core), *core.clang]
        return [_gcc(core), *core.gcc, *_FLAGS]

    def link_command(self, core: Core) -> list[str]:
        return [_gcc(core), *core.gcc, "-nostdlib", "-Wl,--no-warn-rwx-segments"]

    def environment(self, cache: Path) -> dict[str, str]:
        return dict(os.environ)


def _gcc(core: Core) -> str:
    return _find("arm-none-eabi-gcc" if core.is_arm else "riscv64-unknown-elf-gcc")


def _compiler(core: Core) -> str:
    return _find("clang", _CLANGS) if core.clang else _gcc(core)


def _find(program: str, names: tuple[str, ...] = ()) -> str:
    path = next((path for name in names or (program,) if (path := shutil.which(name))), None)
    if path is None:
        raise MissingToolError(
            f"{program} is not installed",
            why="it compiles firmware with the toolchain `gcc`",
            hint=f"apt-get install {_PACKAGES[program]}, or the toolchain `zig`",
        )
    return path


@cache
def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    first = said.stdout.splitlines()[0]
    match = re.search(r"\d+\.\d+\.\d+", first)
    return f"{Path(program).name} {match[0] if match else first}"
