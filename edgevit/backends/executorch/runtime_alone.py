"""ExecuTorch's runtime without its compiler.

The runtime's module for Python takes one function for warnings from the compiler's package. Python would
import the whole compiler first, which takes three times as long as torch.
"""

from __future__ import annotations

import sys
from types import ModuleType

from edgevit.backends.executorch.tool import module

_COMPILER = "executorch.exir"


def runtime() -> ModuleType:
    """Import the runtime. The compiler stays to be imported by those who ask for it."""
    if _COMPILER in sys.modules:
        return module("runtime")
    folders = list(module("extension").__path__)
    stand_in = ModuleType(_COMPILER)
    stand_in.__path__ = [folder.removesuffix("extension") + "exir" for folder in folders]
    sys.modules[_COMPILER] = stand_in
    try:
        return module("runtime")
    finally:
        for name in [name for name in sys.modules if name.startswith(_COMPILER)]:
            del sys.modules[name]
