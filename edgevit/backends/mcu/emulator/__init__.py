"""Emulators of the cores: `unicorn`, from pip, and `qemu`, from the distribution (the only one with MVE).

    run = emulator("unicorn").run(elf, core("m4"), inputs={"image": data}, regions=["ev_linear_s8"])
    run.instructions, run.by_region["ev_linear_s8"], run.output, run.text, run.status, run.stack_bytes

The program is one that `Toolchain.link` made. What is counted is `main` and all it calls, exactly and
without start-up and `ev_emit`; an instruction that its IT block skips counts. A region starts when
execution reaches the entry of the function it is named after, and lasts until the next of the regions is
reached; what runs before the first is `main`'s. Both emulators count the same. `inputs` are written to
`EV_INPUT` variables before the start. `touch=True` finds the bytes of RAM that the counted code reads
and writes (slow), `profile=True` how often each instruction ran. A program that faults, hangs, or
overruns its stack is `BackendRuntimeError`, with the place where it died.
"""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.emulator.run import EmulatedRun, Emulator, Touched
from edgevit.errors import UsageError, suggest

__all__ = ["EMULATORS", "EmulatedRun", "Emulator", "Touched", "emulator", "emulators_of"]
EMULATORS = ("unicorn", "qemu")


def emulator(name: str, cache: Path | None = None) -> Emulator:
    """Return the emulator of this name.

    `cache` is the folder of QEMU's compiled counting plugin.
    """
    from edgevit.backends.mcu.emulator.qemu import Qemu
    from edgevit.backends.mcu.emulator.unicorn import Unicorn
    from edgevit.backends.mcu.toolchain import default_cache

    if name == "unicorn":
        return Unicorn()
    if name == "qemu":
        return Qemu(cache or default_cache())
    raise UsageError(f"no emulator is called `{name}`", hint=suggest(name, EMULATORS))


def emulators_of(core: Core) -> tuple[str, ...]:
    """Return the emulators that have the core, first the one that needs no installation."""
    having = {"unicorn": core.unicorn is not None, "qemu": core.machine is not None}
    return tuple(name for name in EMULATORS if having[name])
