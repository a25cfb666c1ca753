"""Instruction counts from the blocks that an emulator entered; each block is decoded once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from edgevit.backends.mcu.emulator.run import MAIN

Block = tuple[int, int]  # address, bytes
Decode = Callable[[int], int]  # the first two bytes of an instruction -> its bytes


def thumb_bytes(first: int) -> int:
    """Return an instruction's size in bytes.

    Three bit patterns start a 32-bit instruction (Arm v7-M Architecture Reference Manual, A5.1).
    """
    return 4 if first >= 0xE800 else 2


def riscv_bytes(first: int) -> int:
    """Return an instruction's size by its two lowest bits.

    Source: the RISC-V Instruction Set Manual, volume I, 1.5.
    """
    return 4 if first & 3 == 3 else 2


def instructions(block: Block, read: Callable[[int, int], bytes], size: Decode) -> Iterator[int]:
    """Yield the addresses of a block's instructions."""
    address, count = block
    code = read(address, count)
    at = 0
    while at < count:
        yield address + at
        at += size(int.from_bytes(code[at : at + 2], "little"))


class Ledger:
    """Entry counts of each block in each region; `enter` is called for every block that runs."""

    def __init__(self, entries: Mapping[int, str]) -> None:
        self._entries = dict(sorted(entries.items()))
        self._regions = {name: defaultdict[Block, int](int) for name in (MAIN, *entries.values())}
        self._current = self._regions[MAIN]
        self._parts: dict[Block, tuple[tuple[str | None, Block], ...]] = {}

    def enter(self, block: Block) -> None:
        parts = self._parts.get(block)
        if parts is None:
            parts = self._parts[block] = tuple(self._split(block))
        for region, part in parts:
            if region is not None:
                self._current = self._regions[region]
            self._current[part] += 1

    def _split(self, block: Block) -> Iterator[tuple[str | None, Block]]:
        """Split a block at each function that starts inside it.

        A block may run on into a function. It is cut there, and the function's region starts.
        """
        start, size = block
        region = self._entries.get(start)
        for entry, name in self._entries.items():
            if start < entry < block[0] + size:
                yield region, (start, entry - start)
                start, region = entry, name
        yield region, (start, block[0] + size - start)

    def counted(self, start: int) -> Iterator[tuple[str, Block, int]]:
        """Yield region, block and entry count, without the blocks below the address."""
        for region, blocks in self._regions.items():
            for block, times in blocks.items():
                if block[0] >= start:
                    yield region, block, times


def totals(
    counted: Iterable[tuple[str, Block, int]], addresses: Callable[[Block], Iterable[int]]
) -> tuple[dict[str, int], dict[int, int]]:
    """Return the instructions by region, and the executions by instruction address."""
    by_region: dict[str, int] = defaultdict(int)
    profile: dict[int, int] = defaultdict(int)
    for region, block, times in counted:
        for address in addresses(block):
            by_region[region] += times
            profile[address] += times
    return by_region, profile
