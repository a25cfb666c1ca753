"""Face of a package: its public names, each imported from its home when it is first used.

So that no import of a package brings in more than is used of it. `__all__` and imports under `TYPE_CHECKING` say the
same to readers and type checkers; a test holds the three together.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType


def lazy_face(package: str, homes: Mapping[str, tuple[str, ...]]) -> None:
    """Give a package the names of its modules: `{"store": ("Store", "open_store")}`."""
    names = {name: _from(f"{package}.{home}", name) for home in homes for name in homes[home]}
    sys.modules[package].__class__ = type("Face", (ModuleType,), names)


def _from(home: str, name: str) -> property:
    def get(module: ModuleType) -> object:
        own = vars(module)
        if name not in own:
            own[name] = getattr(import_module(home), name)
        return own[name]

    def put(module: ModuleType, value: object) -> None:
        """Keep the name from the submodule of that name, which the import system puts here."""
        if not isinstance(value, ModuleType):
            vars(module)[name] = value

    return property(get, put)
