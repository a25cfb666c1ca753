"""Linked program: symbols, sections and their sizes, and what is loaded where.

No other module imports pyelftools.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgevit.errors import MissingToolError, PackageError, suggest

# Sections of `kernels/run/sections.ld`: what is in the flash, and what is in the RAM as it runs.
_FLASH = (".text", ".rodata", ".data")
_RAM = (".data", ".bss", ".noinit", ".stack")
_NO_SYMBOLS = ("STT_FILE", "STT_SECTION")


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int  # without the Thumb bit
    size: int
    is_function: bool


@dataclass(frozen=True)
class Segment:
    address: int  # where it is loaded, not where it is used
    data: bytes


@dataclass(frozen=True)
class Elf:
    path: Path
    entry: int  # without the Thumb bit
    symbols: dict[str, Symbol]
    sections: dict[str, int]  # bytes by section; `.run` is start-up and semihosting
    segments: tuple[Segment, ...]
    _functions: tuple[Symbol, ...] = field(repr=False, default=())  # by address

    @property
    def flash_bytes(self) -> int:
        """Flash in bytes: code, constants and initial values.

        The support that only an emulated run needs is not counted.
        """
        return sum(self.sections.get(name, 0) for name in _FLASH)

    @property
    def ram_bytes(self) -> int:
        """RAM that is laid out, in bytes: variables, inputs, and the stack as reserved."""
        return sum(self.sections.get(name, 0) for name in _RAM)

    def symbol(self, name: str) -> Symbol:
        if name not in self.symbols:
            raise PackageError(
                f"no symbol is called `{name}`",
                where=str(self.path),
                why="the program does not define it, or the linker dropped it as unused",
                hint=suggest(name, self.symbols),
            )
        return self.symbols[name]

    def code_at(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes that are loaded at the address.

        Code runs where it is loaded.
        """
        for segment in self.segments:
            start = address - segment.address
            if 0 <= start < len(segment.data):
                return segment.data[start : start + size]
        return b""

    def function_at(self, address: int) -> str:
        """Return the function that the address is in; "" if there is none."""
        index = bisect_right(self._functions, address, key=lambda function: function.address)
        function = self._functions[index - 1] if index else None
        # Assembly may leave its size out; then the function goes on to the next.
        if function is None or 0 < function.size <= address - function.address:
            return ""
        return function.name


def read_elf(path: Path) -> Elf:
    if find_spec("elftools") is None:
        raise MissingToolError(
            "pyelftools is not installed",
            why="it reads the linked program",
            hint="pip install 'edgevit[mcu]'",
        )
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            symbols = _symbols(elf)
            return Elf(
                path,
                elf["e_entry"] & ~1,
                symbols,
                {s.name: s["sh_size"] for s in elf.iter_sections() if s["sh_flags"] & 2},
                _segments(elf),
                _functions(symbols),
            )
    except (ELFError, OSError) as error:
        raise PackageError(
            "not a program that can be read", where=str(path), why=str(error)
        ) from error


def _symbols(elf: Any) -> dict[str, Symbol]:
    """Return the symbols by name; a global one hides a local one of the same name."""
    table = elf.get_section_by_name(".symtab")
    entries = list(table.iter_symbols()) if table else []
    entries.sort(key=lambda entry: entry["st_info"]["bind"] == "STB_GLOBAL")
    return {
        entry.name: _symbol(entry, arm=elf["e_machine"] == "EM_ARM")
        for entry in entries
        if entry["st_info"]["type"] not in _NO_SYMBOLS and entry["st_shndx"] != "SHN_UNDEF"
    }


def _symbol(entry: Any, arm: bool) -> Symbol:
    is_function = entry["st_info"]["type"] == "STT_FUNC"
    address = entry["st_value"]
    if is_function and arm:
        address &= ~1  # Thumb
    return Symbol(entry.name, address, entry["st_size"], is_function)


def _functions(symbols: dict[str, Symbol]) -> tuple[Symbol, ...]:
    functions = (symbol for symbol in symbols.values() if symbol.is_function)
    return tuple(sorted(functions, key=lambda symbol: symbol.address))


def _segments(elf: Any) -> tuple[Segment, ...]:
    return tuple(
        Segment(segment["p_paddr"], segment.data())
        for segment in elf.iter_segments()
        if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
    )
