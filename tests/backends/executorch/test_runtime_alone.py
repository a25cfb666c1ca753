"""The process that runs a .pte has no compiler in it, and may import it afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("executorch.runtime")

_CODE = """
import sys
from edgevit.backends.executorch.runtime_alone import runtime

assert runtime().Runtime.get().backend_registry.is_available("XnnpackBackend")
assert not [name for name in sys.modules if name.startswith(("executorch.exir", "torch._dynamo"))]
from executorch.exir import to_edge
"""


def test_the_compiler_is_imported_when_it_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
