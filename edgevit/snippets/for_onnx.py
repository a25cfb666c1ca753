"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, C_TYPES, Snippet
from edgevit.backends.onnx import INFO
from edgevit.snippets import cpp, python
from edgevit.snippets.templates import TEMPLATES

_RUNTIME = python.Runtime(
    INFO.libraries[0],
    "import onnxruntime",
    """    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.session.run(None, {name: array for (name, *_), array in zip(INPUTS, arrays, strict=True)})
""",
)
SNIPPETS = (
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("call.cpp", TEMPLATES / "onnx.cpp.txt", cpp.onnx, C_TYPES),
)

# Opens one part of a model with early exits, in the code that runs them.
PART_SESSION = '''import onnxruntime


def session(path, part):
    """Return a function from the part's inputs to its outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in opened.get_inputs()]
    return lambda *values: opened.run(None, dict(zip(names, values)))
'''
