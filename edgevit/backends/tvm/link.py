"""Link object files to a shared library, for this machine or another.

zig, from PyPI, is a C compiler and linker for all of them: no cross toolchain has to be installed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgevit.backends.tvm.machine import Machine
from edgevit.errors import MissingToolError
from edgevit.support.python import module_command, module_environment


def link(executable: Any, machine: Machine, path: Path) -> None:
    if find_spec("ziglang") is None:
        raise MissingToolError(
            "ziglang is not installed",
            why="it links the library that TVM compiles",
            hint="pip install 'edgevit[tvm]'",
        )

    def compiler(output: str, objects: Sequence[str], options: object = None, **_: object) -> None:
        words = module_command("ziglang", "cc", "-target", machine.linker_target)
        words += ["-shared", "-fPIC", "-O2", "-o", output, *objects, "-lm"]
        subprocess.run(words, check=True, capture_output=True, env=module_environment())

    executable.export_library(str(path), fcompile=compiler)
