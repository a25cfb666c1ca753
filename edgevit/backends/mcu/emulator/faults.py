"""Descriptions of the fault that ended a program, as the core reports it."""

from __future__ import annotations

from edgevit.backends.mcu.cores import Core

STACK_RAN_OUT = "its stack ran out"
# Arm v7-M Architecture Reference Manual, B1.5.2 and B3.2.15 (CFSR).
_ARM_EXCEPTIONS = {3: "hard fault", 4: "memory fault", 5: "bus fault", 6: "usage fault"}
_ARM_CAUSES = {
    0: "code may not be fetched there",
    1: "the address may not be read or written",
    8: "no memory to fetch code from",
    9: "no memory at the address it reads or writes",
    10: "no memory at an address it wrote a moment before",
    12: STACK_RAN_OUT,
    16: "undefined instruction",
    17: "a jump to an even address, which is not Thumb",
    18: "a wrong return",
    19: "the FPU or MVE is not there or not on",
    20: STACK_RAN_OUT,
    24: "unaligned access",
    25: "division by zero",
}
# The RISC-V Instruction Set Manual, volume II, table of mcause.
_RISCV_CAUSES = {
    0: "unaligned instruction",
    1: "no memory to fetch code from",
    2: "illegal instruction",
    3: "breakpoint",
    4: "unaligned read",
    5: "no memory at the address it reads",
    6: "unaligned write",
    7: "no memory at the address it writes",
}


def explain(core: Core, cause: int, detail: int) -> str:
    """Describe a fault; `cause` is the exception, `detail` is CFSR on Arm and mtval on RISC-V."""
    if not core.is_arm:
        return f"{_RISCV_CAUSES.get(cause, 'unknown')} (exception {cause}, value {detail:#x})"
    if cause == 0:
        return STACK_RAN_OUT
    causes = [text for bit, text in _ARM_CAUSES.items() if detail >> bit & 1]
    name = _ARM_EXCEPTIONS.get(cause, "fault")
    return f"{name}: {', '.join(causes) or 'no cause given'} (exception {cause})"
