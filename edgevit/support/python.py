"""Import paths for Python child processes: those of this process, without the current directory.

Imports only modules that Python itself has loaded: this code runs before anything could be imported
from that directory.
"""

import os
import sys


def import_path() -> list[str]:
    """Return `sys.path` without the current directory, unless PYTHONPATH has its absolute path."""
    here = _current()
    stated = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]  # fmt: skip
    path = [
        entry
        for entry in sys.path
        if isinstance(entry, str)
        and os.path.isabs(entry)
        and os.pathsep not in entry  # two entries in PYTHONPATH, the second of them relative
        and (entry in stated or os.path.realpath(entry) != here)
    ]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return path if root in path else [*path, root]  # a checkout that is not installed: last


def keep_to_import_path() -> None:
    """Set `sys.path` to `import_path()`, and drop relative paths from PYTHONPATH for children."""
    sys.path[:] = import_path()
    if "PYTHONPATH" in os.environ:
        entries = os.environ["PYTHONPATH"].split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join(e for e in entries if os.path.isabs(e))


def module_command(module: str, *words: str) -> list[str]:
    """Return the command to run a module in another process, along with `module_environment`."""
    return [sys.executable, "-P", "-m", module, *words]


def module_environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(import_path())
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **more}


def _current() -> str:
    try:
        return os.path.realpath(os.getcwd())
    except OSError:  # it has been removed
        return ""
