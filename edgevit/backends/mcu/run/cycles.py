"""Cortex-M4 cycles to first order, predicted from how often each instruction ran.

No emulator counts cycles. The model is the table of the processor's manual (Arm DDI 0439, 3.3.1),
with memory that never waits: a chip's flash wait states are not in it. A refill of the pipeline is
taken as 2 (of 1 to 3), a division as 7 (of 2 to 12); a conditional branch counts as taken as often
as the instruction after it did not run in its place.

No other module imports capstone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from edgevit.backends.mcu.run.elf import Elf
from edgevit.errors import InternalError, MissingToolError

REFILL = 2
DIVISION = 7

_DIVISIONS = ("sdiv", "udiv")
_MULTIPLE = ("ldm", "ldmdb", "stm", "stmdb", "push", "pop", "vldmia", "vstmia", "vpush", "vpop")
_BRANCHES = ("b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh")
_MAYBE = ("cbz", "cbnz")  # branches that need no condition to be conditional
_OTHER = {
    **dict.fromkeys(("ldrd", "strd", "vmla", "vmls", "vnmla", "vnmls"), 3),
    **dict.fromkeys(("vfma", "vfms", "vfnma", "vfnms"), 3),
    **dict.fromkeys(("vldr", "vstr", "mrs", "msr", "tbb", "tbh"), 2),
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
    **dict.fromkeys(_DIVISIONS, DIVISION),
}


@dataclass(frozen=True)
class Cycles:
    instructions: int
    cycles: int
    by_function: Mapping[str, int]


@dataclass(frozen=True)
class _Instruction:
    name: str  # without condition and width
    operands: str
    size: int
    conditional: bool

    @property
    def loads_one(self) -> bool:
        return self.name.startswith("ldr") and self.name != "ldrd"

    @property
    def jumps(self) -> bool:
        return self.name in _BRANCHES or self.operands.startswith("pc,") or "pc}" in self.operands

    @property
    def registers(self) -> int:
        """Number of words that a multiple load or store moves."""
        names = self.operands.partition("{")[2].rstrip("}").split(",")
        return sum(2 if name.strip().startswith("d") else 1 for name in names)


def estimate_m4(elf: Elf, profile: Mapping[int, int]) -> Cycles:
    """Estimate the cycles of a run; `profile` maps instruction addresses to execution counts."""
    decoded = _decode(elf, profile)
    by_function: dict[str, int] = defaultdict(int)
    before: _Instruction | None = None  # the one that ran just in front
    for address, instruction in sorted(decoded.items()):
        times, after = profile[address], address + instruction.size
        refills = _refills(instruction, times, profile.get(after, 0))
        cycles = times * _cycles(instruction, before) + refills * REFILL
        by_function[elf.function_at(address)] += cycles
        before = instruction if after in decoded else None
    return Cycles(sum(profile.values()), sum(by_function.values()), dict(by_function))


def _cycles(instruction: _Instruction, before: _Instruction | None) -> int:
    """Return an instruction's cycles, without the pipeline refill of a branch."""
    if instruction.loads_one:
        return 1 if before is not None and before.loads_one else 2
    if instruction.name in _MULTIPLE:
        return 1 + instruction.registers
    return _OTHER.get(instruction.name, 1)


def _refills(instruction: _Instruction, times: int, times_after: int) -> int:
    """Return how often the instruction is left by a jump."""
    if not instruction.jumps:
        return 0
    if instruction.conditional or instruction.name in _MAYBE:
        return times - min(times, times_after)
    return times


def _decode(elf: Elf, addresses: Iterable[int]) -> dict[int, _Instruction]:
    if find_spec("capstone") is None:
        raise MissingToolError(
            "capstone is not installed",
            why="it decodes the instructions whose cycles are estimated",
            hint="pip install 'edgevit[mcu]'",
        )
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    return {address: _one(decoder, elf, address) for address in addresses}


def _one(decoder: Any, elf: Elf, address: int) -> _Instruction:
    always = (0, 15)  # capstone: no condition was decoded, or AL
    for instruction in decoder.disasm(elf.code_at(address, 4), address, 1):
        name, conditional = instruction.insn_name(), instruction.cc not in always
        return _Instruction(name, instruction.op_str, instruction.size, conditional)
    raise InternalError(f"no instruction at {address:#x}", where=str(elf.path))
