"""Port of a board: the files of `kernels/port/` for its start-up and output."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.mcu.cores import Core
from edgevit.support.resources import data_dir
from edgevit.targets import Target

_INCLUDED = re.compile(r'#include "(\w+\.h)"')
_SHARED = ("output_semihosting.c", "output_uart.c")
_SUPPORT = ("memory.c",)  # of kernels/run: what compilers call and no C library gives
_SUPPORT_ARM = ("memory_aeabi.c",)


@dataclass(frozen=True)
class BoardPort:
    board: str  # its own file, without the ending
    sources: tuple[str, ...]  # to compile, below port/
    sections: str  # the linker script's second half
    has_uart: bool

    @property
    def is_generic(self) -> bool:
        return self.board.startswith("generic")


def port_of(target: Target, core: Core) -> BoardPort:
    """Return the target's own port, else that of the target it extends, else a generic one.

    A generic port fits every board of the core.
    """
    folder = data_dir("kernels") / "port"
    generic = "generic" if core.is_arm else "generic-riscv"
    names = [name for name in (target.name, target.extends, generic) if name]
    board = next(name for name in names if (folder / f"{name}.c").is_file())
    start = (
        ("start_arm.c", "semihost_arm.S") if core.is_arm else ("start_riscv.S", "semihost_riscv.S")
    )
    support = (*_SUPPORT, *(_SUPPORT_ARM if core.is_arm else ()))
    own = folder / f"{board}.ld"
    sections = (own if own.is_file() else folder / "sections.ld").read_text()
    return BoardPort(board, (*start, *support, f"{board}.c"), sections, _has_uart(folder, board))


def _has_uart(folder: Path, board: str) -> bool:
    """Return whether the board's file, or one it includes, defines `ev_uart_put`."""
    names = (f"{board}.c", *_headers(folder, f"{board}.c"))
    return any("void ev_uart_put" in (folder / n).read_text() for n in names if n != "ev_port.h")


def _headers(folder: Path, name: str) -> tuple[str, ...]:
    """Return the port's headers that a file includes, and those that they include."""
    included: dict[str, None] = {}
    waiting = [name]
    while waiting:
        read = _INCLUDED.findall((folder / waiting.pop()).read_text())
        waiting += [header for header in read if header not in included]
        included.update(dict.fromkeys(read))
    return tuple(included)


def write_port(port: BoardPort, folder: Path) -> None:
    kernels = data_dir("kernels")
    folder.mkdir()
    headers = _headers(kernels / "port", f"{port.board}.c")
    for name in dict.fromkeys((*port.sources, *_SHARED, "ev_port.h", *headers)):
        specific = kernels / "port" / name
        shutil.copy(specific if specific.is_file() else kernels / "run" / name, folder)
    shutil.copytree(kernels / "run" / "include", folder / "include")
