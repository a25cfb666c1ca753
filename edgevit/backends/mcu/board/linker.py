"""Linker script of a board: its regions, what goes where, and the sections from `kernels/port/`."""

from __future__ import annotations

import re

from edgevit.backends.mcu.board.layout import BoardLayout
from edgevit.support.quoting import comment
from edgevit.targets import MemoryRegion, Target


def linker_script(target: Target, where: BoardLayout, sections: str) -> str:
    regions = "".join(
        f"    {_name(region)} : ORIGIN = {region.base:#010x}, LENGTH = {region.size:#x} /* {region.kind} */\n"
        for region in dict.fromkeys((*target.regions, where.arena, where.data))
    )
    aliases = "".join(
        f'REGION_ALIAS("{alias}", {_name(region)})\n'
        for alias, region in (
            ("EV_CODE", where.code),
            ("EV_WEIGHTS", where.weights),
            ("EV_ARENA", where.arena),
            ("EV_DATA", where.data),
        )
    )
    return (
        f"/* {comment(target.title)}: all of its regions, and which hold what. Written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n"
        f"MEMORY\n{{\n{regions}}}\n{aliases}"
        f"\n{sections}"
    )


def _name(region: MemoryRegion) -> str:
    """Return the region's name as a linker identifier.

    Names in a target file are already valid; this is for regions made elsewhere.
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", region.name)
