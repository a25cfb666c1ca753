"""Counting plugin of QEMU: compiled once by this machine's C compiler, then cached."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from edgevit.errors import InternalError, MissingToolError
from edgevit.support.resources import data_dir


def plugin(cache: Path) -> Path:
    """Return the shared library, compiled if it is not in the cache.

    Its name holds a hash of its sources, so a stale library is never used.
    """
    folder = data_dir("kernels") / "run"
    sources = [folder / "qemu_count.c", folder / "qemu_plugin.h"]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    library = cache / "qemu" / f"count-{digest}.so"
    if not library.exists():
        _compile(sources[0].resolve(), library)
    return library


def _compile(source: Path, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".making-") as folder:
        unfinished = Path(folder) / output.name
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        words = [*_compiler(), *flags, "-o", str(unfinished), str(source)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            raise InternalError("QEMU's counting plugin does not compile", why=done.stderr)
        os.replace(unfinished, output)


def _compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    package = find_spec("ziglang")
    if package is not None and package.origin is not None:
        return [str(Path(package.origin).parent / "zig"), "cc"]
    raise MissingToolError(
        "no C compiler for this machine",
        why="it compiles the plugin that counts instructions in QEMU",
        hint="apt-get install gcc, or pip install 'edgevit[mcu]'",
    )
