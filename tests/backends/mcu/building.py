"""Links the C and assembly in `programs/` for a core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.run.elf import read_elf
from edgevit.backends.mcu.toolchain import toolchain

PROGRAMS = Path(__file__).parent / "programs"


def build(
    folder: Path,
    tool: str,
    core: Core,
    *names: str,
    stack_size: int = 8192,
    defines: Mapping[str, str | int] | None = None,
) -> Path:
    maker = toolchain(tool)
    objects = [maker.compile(PROGRAMS / name, core, defines=defines) for name in names]
    output = folder / f"{tool}-{core.name}.elf"
    return maker.link(objects, core, output, stack_size=stack_size)


def by_function(elf: Path, profile: Mapping[int, int] | None) -> Counter[str]:
    """Instructions by the function that they are in, whatever region ran them."""
    program, counts = read_elf(elf), Counter[str]()
    for address, times in (profile or {}).items():
        counts[program.function_at(address)] += times
    return counts
