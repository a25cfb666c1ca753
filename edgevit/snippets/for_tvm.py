"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends.tvm.info import INFO
from edgevit.snippets import cpp, python
from edgevit.snippets.snippet import Snippet

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
    Snippet("call.py", "python", partial(python.marks, _RUNTIME)),
    Snippet("call.cpp", "tvm.cpp", cpp.tvm),
)
