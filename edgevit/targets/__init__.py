"""Targets: descriptions of devices, read from `targets/**/*.toml`. Imports nothing heavy.

load_target("iphone")            a shipped target, by name or alias
load_target("./my_board.toml")   your own file, which may extend a shipped target
list_targets()                   all shipped targets
"""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.targets.catalog import list_targets, load_target, require_taken
    from edgevit.targets.show import as_dict, describe, table
    from edgevit.targets.target import (
        CODE_MEMORY,
        DATA_RAM,
        ComputeUnit,
        EmulatedBoard,
        MemoryRegion,
        Os,
        Target,
    )

__all__ = [
    "CODE_MEMORY",
    "DATA_RAM",
    "ComputeUnit",
    "EmulatedBoard",
    "MemoryRegion",
    "Os",
    "Target",
    "as_dict",
    "describe",
    "list_targets",
    "load_target",
    "require_taken",
    "table",
]

lazy_face(
    __name__,
    {
        "catalog": ("list_targets", "load_target", "require_taken"),
        "show": ("as_dict", "describe", "table"),
        "target": (
            "CODE_MEMORY",
            "ComputeUnit",
            "DATA_RAM",
            "EmulatedBoard",
            "MemoryRegion",
            "Os",
            "Target",
        ),
    },
)
