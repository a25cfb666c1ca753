"""Code that the compilers share: the flags of kernels, the cached objects, and the link."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgevit.backends.mcu.cores import PAGE, Core
from edgevit.errors import InternalError, MemoryLimitError
from edgevit.support.resources import data_dir

# C99 without a C library; `kernels/run/include/string.h` says how words are read in one load.
FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
)
_SUPPORT = ("report.c", "memory.c")
_SUPPORT_ARM = ("start_arm.S", "semihost_arm.S", "memory_aeabi.c")
_SUPPORT_RISCV = ("start_riscv.S", "semihost_riscv.S")
_INCLUDED = re.compile(rb'^\s*#\s*include\s*["<]([^">]+)', re.MULTILINE)
_OVERFLOW = re.compile(r"region [`'](\w+)'.*overflowed by (\d+) bytes")
_ARITHMETIC = re.compile(r"undefined symbol: __")  # names that only a compiler calls


class Maker(Protocol):
    """Family of compilers, and its commands for a core."""

    @property
    def name(self) -> str: ...
    def version(self, core: Core) -> str: ...
    def compile_command(self, core: Core) -> list[str]: ...
    def link_command(self, core: Core) -> list[str]: ...
    def environment(self, cache: Path) -> dict[str, str]: ...

    # For what the core has no instruction for, such as a 64-bit division.
    @property
    def libraries(self) -> tuple[str, ...]: ...
    @property
    def late_libraries(self) -> tuple[str, ...]: ...  # only when they are missed


@dataclass(frozen=True)
class Toolchain:
    maker: Maker
    cache: Path  # objects are kept here, by what went into them

    @property
    def name(self) -> str:
        return self.maker.name

    def version(self, core: Core) -> str:
        return self.maker.version(core)

    def compile(
        self,
        source: Path,
        core: Core,
        *,
        optimize: str = "-O3",
        defines: Mapping[str, str | int] | None = None,
        include: Sequence[Path] = (),
        flags: Sequence[str] = (),
    ) -> Path:
        """Compile C or assembly to an object file in the cache."""
        run = data_dir("kernels") / "run"
        folders = [*include, run, run / "include"]
        words = [
            *self.maker.compile_command(core),
            *FLAGS,
            optimize,
            *(f"-D{name}={value}" for name, value in sorted((defines or {}).items())),
            *flags,
        ]
        key = self._key(source, folders, [self.version(core), *words[1:]])
        cached = self.cache / "objects" / f"{source.stem}-{core.name}-{key}.o"
        if not cached.exists():
            words += [f"-I{folder.resolve()}" for folder in folders]
            self._make(cached, [*words, "-c", str(source.resolve())], core, f"compile `{source}`")
        return cached

    def link(
        self, objects: Iterable[Path], core: Core, output: Path, *, stack_size: int = 8192
    ) -> Path:
        """Link objects to a program that starts itself, on the core as it is emulated."""
        parts = [str(part.resolve()) for part in (*self._support(core), *objects)]
        with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
            script = Path(folder) / "program.ld"
            script.write_text(_linker_script(core, stack_size))
            words = [*self.maker.link_command(core), "-T", str(script)]
            words += ["-Wl,--entry=ev_start", "-Wl,--gc-sections", "-Wl,-z,max-page-size=16"]
            words += [*parts, *self.maker.libraries]
            self._link(output, words, core)
        return output

    def _link(self, output: Path, words: list[str], core: Core) -> None:
        doing, late = f"link `{output}`", self.maker.late_libraries
        try:
            self._make(output, words, core, doing)
        except InternalError as error:
            if not late or not _ARITHMETIC.search(error.why):
                raise
            self._make(output, [*words, *late], core, doing)

    def _support(self, core: Core) -> list[Path]:
        run = data_dir("kernels") / "run"
        names = (*_SUPPORT, *(_SUPPORT_ARM if core.is_arm else _SUPPORT_RISCV))
        defines = {"EV_EMULATED": 1}
        return [self.compile(run / name, core, optimize="-O2", defines=defines) for name in names]

    def _key(self, source: Path, folders: Sequence[Path], words: Sequence[str]) -> str:
        digest = hashlib.sha256("\0".join(words).encode())
        for path in _sources(source.resolve(), [folder.resolve() for folder in folders]):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:24]

    def _make(self, output: Path, words: list[str], core: Core, doing: str) -> None:
        """Run the compiler in a folder beside the output, and move the finished file into place."""
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".making-") as folder:
            unfinished = Path(folder) / output.name
            done = subprocess.run(
                [*words, "-o", str(unfinished)],
                capture_output=True,
                text=True,
                cwd=folder,
                env=self.maker.environment(self.cache),
            )
            if done.returncode != 0 or not unfinished.exists():
                raise self._failure(done.stderr, core, doing)
            os.replace(unfinished, output)

    def _failure(self, said: str, core: Core, doing: str) -> MemoryLimitError | InternalError:
        for region, excess in _OVERFLOW.findall(said):
            return MemoryLimitError(
                f"the program is {excess} bytes too large for the {region} of an emulated {core.title}",
                where=doing,
            )
        return InternalError(
            f"{self.version(core)} could not {doing} for {core.title}",
            why="\n".join(said.splitlines()[:20]),
        )


def _sources(source: Path, folders: Sequence[Path]) -> list[Path]:
    """Return the file and all that it includes, directly or not.

    The compiler's own headers are identified by its version instead.
    """
    files = [source]
    for path in files:  # grows as it goes
        for name in _INCLUDED.findall(path.read_bytes()):
            places = (folder / name.decode() for folder in (path.parent, *folders))
            place = next((place.resolve() for place in places if place.is_file()), None)
            if place is not None and place not in files:
                files.append(place)
    return files


def _linker_script(core: Core, stack_size: int) -> str:
    memory = core.memory
    sections = (data_dir("kernels") / "run" / "sections.ld").read_text()
    return f"""MEMORY
{{
    BOOT (rx) : ORIGIN = {memory.boot_base:#x}, LENGTH = {PAGE:#x}
    FLASH (rx) : ORIGIN = {memory.flash_base:#x}, LENGTH = {memory.flash_size:#x}
    RAM (rwx) : ORIGIN = {memory.ram_base:#x}, LENGTH = {memory.ram_size:#x}
}}
ev_stack_size = {(stack_size + 15) // 16 * 16:#x};
{sections}"""
