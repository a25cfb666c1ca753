"""C compilers for the cores: `zig`, from pip, and `gcc`, from the distribution.

    tool = toolchain("zig")
    part = tool.compile(source, core("m4"), include=[folder], defines={"ROWS": 4})
    elf = tool.link([part], core("m4"), output, stack_size=4096)     # adds start-up and <string.h>
    read_elf(elf).sections, .flash_bytes, .ram_bytes, .symbol("main").size

Objects are kept by what went into them: source, headers, flags and compiler. Programs have
`int main(void)` and may include "ev_run.h".
"""

from __future__ import annotations

import os
from pathlib import Path

from edgevit.backends.mcu.toolchain.gcc import Gcc
from edgevit.backends.mcu.toolchain.maker import Toolchain
from edgevit.backends.mcu.toolchain.zig import Zig
from edgevit.errors import UsageError, suggest

__all__ = ["TOOLCHAINS", "Toolchain", "default_cache", "toolchain"]
TOOLCHAINS = {maker.name: maker for maker in (Zig(), Gcc())}


def default_cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "edgevit"


def toolchain(name: str = "zig", cache: Path | None = None) -> Toolchain:
    if name not in TOOLCHAINS:
        raise UsageError(f"no toolchain is called `{name}`", hint=suggest(name, TOOLCHAINS))
    return Toolchain(TOOLCHAINS[name], cache or default_cache())
