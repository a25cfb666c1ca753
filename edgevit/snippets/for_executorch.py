"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, C_TYPES, JVM_ARRAYS, Snippet
from edgevit.backends.executorch import INFO
from edgevit.snippets import android, cpp, python
from edgevit.snippets.templates import TEMPLATES

_RUNTIME = python.Runtime(
    INFO.libraries[0],
    "import torch\nfrom executorch.runtime import Runtime",
    """    def __init__(self) -> None:
        self.program = Runtime.get().load_program(str(MODEL))
        self.method = self.program.load_method("forward")

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        found = self.method.execute([torch.from_numpy(array) for array in arrays])
        return [tensor.numpy() for tensor in found]
""",
)
SNIPPETS = (
    Snippet("Call.kt", TEMPLATES / "executorch.kt.txt", android.executorch_kotlin, JVM_ARRAYS),
    Snippet("Call.java", TEMPLATES / "executorch.java.txt", android.executorch_java, JVM_ARRAYS),
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("call.cpp", TEMPLATES / "executorch.cpp.txt", cpp.executorch, C_TYPES),
)
PART_SESSION = '''import torch
from executorch.runtime import Runtime


def session(path, part):
    """Return a function from the part's inputs to its outputs."""
    program = Runtime.get().load_program(path)
    method = program.load_method(part.get("function") or "forward")

    def run(*values, program=program):
        return [tensor.numpy() for tensor in method.execute([torch.from_numpy(x) for x in values])]

    return run
'''
