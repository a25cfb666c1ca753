"""The linker script of a board: its regions, what goes where, and the sections from `kernels/port/`."""

from __future__ import annotations

from edgevit.backends.mcu.board.layout import Layout
from edgevit.targets.target import Target


def linker_script(target: Target, where: Layout, sections: str) -> str:
    regions = "".join(
        f"    {region.name} : ORIGIN = {region.base:#010x}, LENGTH = {region.size:#x} /* {region.kind} */\n"
        for region in target.regions
    )
    aliases = "".join(
        f'REGION_ALIAS("{alias}", {region.name})\n'
        for alias, region in (
            ("EV_CODE", where.code),
            ("EV_WEIGHTS", where.weights),
            ("EV_ARENA", where.arena),
            ("EV_DATA", where.data),
        )
    )
    return (
        f"/* {target.title}: all of its regions, and which hold what. Written by edgevit. */\n"
        f"MEMORY\n{{\n{regions}}}\n{aliases}"
        f"\n{sections}"
    )
