"""Targets: descriptions of devices, read from `targets/**/*.toml`. Imports nothing heavy.

load_target("iphone")            a shipped target, by name or alias
load_target("./my_board.toml")   your own file, which may extend a shipped target
list_targets()                   all shipped targets
"""

from edgevit.targets.catalog import list_targets, load_target
from edgevit.targets.show import as_dict, describe, table
from edgevit.targets.target import (
    ComputeUnit,
    Emulator,
    MemoryRegion,
    Os,
    Target,
)

__all__ = [
    "ComputeUnit",
    "Emulator",
    "MemoryRegion",
    "Os",
    "Target",
    "as_dict",
    "describe",
    "list_targets",
    "load_target",
    "table",
]
