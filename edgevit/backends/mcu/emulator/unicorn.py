"""Unicorn, run inside this process; no other module imports it.

A block is counted in full each time it is entered. Only a fault leaves a block half-way, and a
fault ends the run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgevit.backends.mcu.cores import PAGE, Core
from edgevit.backends.mcu.emulator.blocks import (
    Ledger,
    instructions,
    riscv_bytes,
    thumb_bytes,
    totals,
)
from edgevit.backends.mcu.emulator.faults import STACK_RAN_OUT, explain
from edgevit.backends.mcu.emulator.run import (
    MAIN,
    READ,
    REPORTS,
    SECONDS,
    WRITTEN,
    EmulatedRun,
    EmulatorJob,
    Touched,
    concluded,
    died,
    job,
)
from edgevit.backends.mcu.emulator.semihosting import SemihostingHost
from edgevit.errors import BackendRuntimeError, MissingToolError

_SYSTEM_CONTROL = 0xE000_E000  # start-up writes CPACR there; Unicorn models no such block
_AFTER_EXCEPTION = 4  # on RISC-V Unicorn steps over what raised one


class Unicorn:
    name = "unicorn"

    def version(self, core: Core) -> str:
        _unicorn()
        return f"unicorn {version('unicorn')}"

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
    ) -> EmulatedRun:
        if core.unicorn is None:
            raise BackendRuntimeError(
                f"Unicorn has no {core.title}",
                why="it does not know all of its instructions",
                hint="the emulator `qemu`",
            )
        task = job(elf, core, inputs or {}, regions, touch, profile, seconds)
        return _Machine(task, self.version(core)).run()


def _unicorn(part: str = "") -> Any:
    """Import a module of unicorn: `_unicorn("arm_const")` is `unicorn.arm_const`.

    The type is Any, as its constants are not declared.
    """
    if find_spec("unicorn") is None:
        raise MissingToolError(
            "unicorn is not installed",
            why="it emulates the core",
            hint="pip install 'edgevit[mcu]'",
        )
    return importlib.import_module(f"unicorn.{part}" if part else "unicorn")


class _Machine:
    """Core with a program in its memory, run once."""

    def __init__(self, task: EmulatorJob, version: str) -> None:
        self._task = task
        self._version = version
        self._library = _unicorn()
        self._registers = _registers(task.core)
        self._engine = self._start()
        self._host = SemihostingHost(self._read, REPORTS)
        self._ledger = Ledger(task.entries)
        memory = task.core.memory
        self._marks = bytearray(memory.ram_size if task.touch else 0)
        self._unaligned: set[int] = set()
        self._watching = False

    def run(self) -> EmulatedRun:
        self._hook()
        self._execute()
        task, files = (
            self._task,
            {name: bytes(data) for name, data in self._host.files.written.items()},
        )
        status, stack = concluded(task, self._version, files)
        size = thumb_bytes if task.core.is_arm else riscv_bytes
        by_region, profile = totals(
            self._ledger.counted(task.start), lambda block: instructions(block, self._read, size)
        )
        return EmulatedRun(
            self._version,
            sum(by_region.values()),
            {name: by_region.get(name, 0) for name in (MAIN, *task.entries.values())},
            files.get("output", b""),
            files.get("text", b"").decode(errors="replace"),
            status,
            stack,
            self._touched() if task.touch else None,
            dict(profile) if task.profile else None,
        )

    def _touched(self) -> Touched:
        base = self._task.core.memory.ram_base
        return Touched(base, bytes(self._marks), frozenset(self._unaligned))

    def _start(self) -> Any:
        library, core = self._library, self._task.core
        if core.is_arm:
            mode = library.UC_MODE_THUMB | library.UC_MODE_MCLASS
            engine = library.Uc(library.UC_ARCH_ARM, mode)
        else:
            engine = library.Uc(library.UC_ARCH_RISCV, library.UC_MODE_RISCV32)
        constants = _unicorn("arm_const" if core.is_arm else "riscv_const")
        engine.ctl_set_cpu_model(getattr(constants, core.unicorn or ""))
        engine.mem_map(core.memory.boot_base, PAGE)
        engine.mem_map(core.memory.flash_base, core.memory.flash_size)
        engine.mem_map(core.memory.ram_base, core.memory.ram_size)
        if core.is_arm:
            engine.mem_map(_SYSTEM_CONTROL, PAGE)
        for part in (*self._task.elf.segments, *self._task.pokes):
            engine.mem_write(part.address, part.data)
        return engine

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._engine.mem_read(address, size))

    def _hook(self) -> None:
        library, enter = self._library, self._ledger.enter

        def on_block(_: object, address: int, size: int, __: object) -> None:
            enter((address, size))

        def on_exception(_: object, cause: int, __: object) -> None:
            pc = self._get(self._registers.pc) - _AFTER_EXCEPTION
            raise died(self._task, self._version, explain(self._task.core, cause, 0), pc)

        self._engine.hook_add(library.UC_HOOK_BLOCK, on_block)
        if not self._task.core.is_arm:
            self._engine.hook_add(library.UC_HOOK_INTR, on_exception)
        if self._task.touch:
            self._watch()

    def _watch(self) -> None:
        library, marks = self._library, self._marks
        memory, start = self._task.core.memory, self._task.start
        base, end = memory.ram_base, memory.ram_base + memory.ram_size

        def on_block(_: object, address: int, __: int, ___: object) -> None:
            self._watching = address >= start

        def on_access(_: object, kind: int, at: int, size: int, __: int, ___: object) -> None:
            if not self._watching:
                return
            if at % size:
                self._unaligned.add(self._get(self._registers.pc) & ~1)
            if base <= at < end:
                mark = WRITTEN if kind == library.UC_MEM_WRITE else READ
                for byte in range(at - base, at - base + size):
                    marks[byte] |= mark

        self._engine.hook_add(library.UC_HOOK_BLOCK, on_block)
        accesses = library.UC_HOOK_MEM_READ | library.UC_HOOK_MEM_WRITE
        self._engine.hook_add(accesses, on_access)

    def _execute(self) -> None:
        """Run from one semihosting call to the next; Unicorn stops in front of each."""
        task, engine, registers = self._task, self._engine, self._registers
        call = task.elf.symbol("ev_semihost").address
        thumb = 1 if task.core.is_arm else 0
        at, deadline = task.elf.entry, time.monotonic() + task.seconds
        while not self._host.ended:
            seconds = deadline - time.monotonic()
            try:
                engine.emu_start(at | thumb, call, timeout=max(int(seconds * 1e6), 1))
            except self._library.UcError as error:
                raise self._failure(str(error)) from error
            pc = self._get(registers.pc) & ~1
            if pc != call:
                why = f"it was still running after {task.seconds:g} seconds"
                raise died(task, self._version, why, pc)
            answer = self._host.call(self._get(registers.first), self._get(registers.second))
            engine.reg_write(registers.first, answer & 0xFFFF_FFFF)
            at = self._get(registers.link) & ~1

    def _failure(self, error: str) -> BackendRuntimeError:
        task, registers = self._task, self._registers
        if self._get(registers.stack) < task.elf.symbol("ev_guard_bottom").address:
            error = STACK_RAN_OUT
        return died(task, self._version, error, self._get(registers.pc))

    def _get(self, register: int) -> int:
        return self._engine.reg_read(register)


@dataclass(frozen=True)
class _Registers:
    pc: int
    stack: int
    link: int
    first: int  # argument and result
    second: int


def _registers(core: Core) -> _Registers:
    prefix = "UC_ARM_REG_" if core.is_arm else "UC_RISCV_REG_"
    names = ("PC", "SP", "LR", "R0", "R1") if core.is_arm else ("PC", "SP", "RA", "A0", "A1")
    constants = _unicorn("arm_const" if core.is_arm else "riscv_const")
    return _Registers(*(getattr(constants, prefix + name) for name in names))
