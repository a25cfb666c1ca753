"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends.executorch.info import INFO
from edgevit.snippets import android, cpp, python
from edgevit.snippets.snippet import Snippet

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
    Snippet("Call.kt", "executorch.kt", android.executorch_kotlin),
    Snippet("Call.java", "executorch.java", android.executorch_java),
    Snippet("call.py", "python", partial(python.marks, _RUNTIME)),
    Snippet("call.cpp", "executorch.cpp", cpp.executorch),
)
