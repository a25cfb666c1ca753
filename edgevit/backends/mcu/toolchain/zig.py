"""zig's clang and lld: one compiler for every core, from pip."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from edgevit.backends.mcu.cores import Core
from edgevit.errors import MissingToolError

# zig keeps r7 as frame pointer otherwise, which costs kernels a register.
_FLAGS = ("-fomit-frame-pointer", "-fno-sanitize=undefined", "-fno-stack-protector")


class Zig:
    name = "zig"
    # zig compiles its library for the core when it is first asked for: six seconds, then kept.
    libraries = ()
    late_libraries = ("-lgcc",)

    def version(self, core: Core) -> str:
        _program()
        return f"zig {version('ziglang')}"

    def compile_command(self, core: Core) -> list[str]:
        return [_program(), "cc", *core.zig, *_FLAGS]

    def link_command(self, core: Core) -> list[str]:
        return [_program(), "cc", *core.zig, "-nostdlib"]

    def environment(self, cache: Path) -> dict[str, str]:
        """Return the environment with zig's cache folders.

        zig caches what it compiles of its own, such as 64-bit division.
        """
        folder = str(cache / "zig")
        return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}


@cache
def _program() -> str:
    package = find_spec("ziglang")
    if package is None or package.origin is None:
        raise MissingToolError(
            "ziglang is not installed",
            why="it compiles firmware",
            hint="pip install 'edgevit[mcu]'",
        )
    folder = Path(package.origin).parent
    return str(folder / ("zig.exe" if os.name == "nt" else "zig"))
