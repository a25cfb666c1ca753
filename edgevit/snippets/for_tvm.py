"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, C_TYPES, Snippet
from edgevit.backends.tvm import INFO
from edgevit.snippets import cpp, python
from edgevit.snippets.templates import TEMPLATES

_RUNTIME = python.Runtime(
    INFO.libraries[0],
    "import tvm\nfrom tvm import relax",
    """    def __init__(self) -> None:
        self.machine = relax.VirtualMachine(tvm.runtime.load_module(str(MODEL)), tvm.cpu())

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        found = self.machine["main"](*(tvm.runtime.tensor(array) for array in arrays))
        return [tensor.numpy() for tensor in ([found] if hasattr(found, "numpy") else found)]
""",
)
SNIPPETS = (
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("call.cpp", TEMPLATES / "tvm.cpp.txt", cpp.tvm, C_TYPES),
)
