"""Run request to an emulator, and its result."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.emulator.faults import STACK_RAN_OUT, explain
from edgevit.backends.mcu.run.elf import Elf, Segment, read_elf
from edgevit.errors import BackendRuntimeError, UsageError

MAIN = "main"  # the region before the first one that was asked for
REPORTS = ("output", "text", "finish", "fault")  # files that the program may write
READ, WRITTEN = 1, 2
SECONDS = 300.0  # a shared machine may be slow; a program that hangs is found all the same


@dataclass(frozen=True)
class Touched:
    """Access marks of each RAM byte:

    READ, WRITTEN, both or neither, by the code that is counted.
    """

    base: int
    marks: bytes
    unaligned: frozenset[
        int
    ]  # instructions that accessed memory off a multiple of the access's size

    def count(self, mark: int = READ | WRITTEN, start: int | None = None, size: int = -1) -> int:
        """Return how many bytes carry the mark, in all the RAM or in one range."""
        first = 0 if start is None else start - self.base
        part = self.marks[first:] if size < 0 else self.marks[first : first + size]
        return sum(part.count(value) for value in range(1, 4) if value & mark)


@dataclass(frozen=True)
class EmulatedRun:
    emulator: str  # with its version
    instructions: int
    by_region: Mapping[str, int]
    output: bytes  # all that was given to `ev_emit`
    text: str  # all that was given to `ev_text`
    status: int  # what `main` returned
    stack_bytes: int  # the most that was ever in use, in multiples of four
    touched: Touched | None = None
    profile: Mapping[int, int] | None = None  # address of an instruction -> how often it ran


class Emulator(Protocol):
    @property
    def name(self) -> str: ...
    def version(self, core: Core) -> str: ...
    def run(
        self,
        elf: Path,
        core: Core,
        *,
        inputs: Mapping[str, bytes] | None = None,
        regions: Sequence[str] = (),
        touch: bool = False,
        profile: bool = False,
        seconds: float = SECONDS,
    ) -> EmulatedRun: ...


@dataclass(frozen=True)
class EmulatorJob:
    """One run in terms of addresses, as both emulators take it."""

    elf: Elf
    core: Core
    pokes: tuple[Segment, ...]  # inputs
    entries: Mapping[int, str]  # address -> the region that starts there
    start: int  # code below it is start-up and semihosting, and not counted
    touch: bool
    profile: bool
    seconds: float


def job(
    path: Path,
    core: Core,
    inputs: Mapping[str, bytes],
    regions: Sequence[str],
    touch: bool,
    profile: bool,
    seconds: float,
) -> EmulatorJob:
    elf = read_elf(path)
    return EmulatorJob(
        elf,
        core,
        tuple(_poke(elf, name, data) for name, data in inputs.items()),
        {_entry(elf, name): name for name in regions if name != MAIN},
        elf.symbol("ev_run_end").address,
        touch,
        profile,
        seconds,
    )


def _poke(elf: Elf, name: str, data: bytes) -> Segment:
    symbol = elf.symbol(name)
    if len(data) > symbol.size:
        raise UsageError(
            f"{len(data)} bytes do not fit into `{name}`, which has {symbol.size}",
            where=str(elf.path),
        )
    return Segment(symbol.address, data)


def _entry(elf: Elf, name: str) -> int:
    symbol = elf.symbol(name)
    if not symbol.is_function:
        raise UsageError(f"`{name}` is not a function", where=str(elf.path))
    return symbol.address


def died(job: EmulatorJob, emulator: str, why: str, pc: int | None = None) -> BackendRuntimeError:
    """Return the error for a program that did not come to its end."""
    where = str(job.elf.path)
    if pc is not None:
        function = job.elf.function_at(pc) or "no function"
        where += f": pc {pc:#010x}, in {function}"
    return BackendRuntimeError(
        f"the program died on an emulated {job.core.title}",
        where=where,
        why=why,
        hint=f"the same on another emulator? this was {emulator}",
    )


def concluded(job: EmulatorJob, emulator: str, written: Mapping[str, bytes]) -> tuple[int, int]:
    """Return `main`'s status and its stack use, from the files that the support code wrote.

    Raise the error of a program that faulted, did not return or overran its stack.
    """
    if fault := written.get("fault"):
        pc, cause, detail = struct.unpack("<III", fault)
        raise died(job, emulator, explain(job.core, cause, detail), pc & ~1 if pc else None)
    if "finish" not in written:
        raise died(job, emulator, "it stopped without coming back from `main`")
    status, stack = struct.unpack("<iI4x", written["finish"])
    reserved = job.elf.sections[".stack"]
    if stack > reserved:
        raise died(job, emulator, f"{STACK_RAN_OUT}: it has {reserved} bytes")
    return status, stack
