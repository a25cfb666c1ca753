"""Import of TVM and its version."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from types import ModuleType

from edgevit.backends.session import load_library


def tvm(name: str = "") -> ModuleType:
    """Import a module of TVM: `tvm("relax")` is `tvm.relax`."""
    load_library("tvm", "tvm")
    return importlib.import_module(f"tvm.{name}" if name else "tvm")


def versions() -> dict[str, str]:
    load_library("tvm", "tvm")
    return {"apache-tvm": version("apache-tvm")}
