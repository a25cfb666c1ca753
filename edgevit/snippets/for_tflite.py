"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, C_TYPES, JVM_ARRAYS, Snippet
from edgevit.backends.tflite import INFO
from edgevit.snippets import android, cpp, python
from edgevit.snippets.templates import TEMPLATES

_RUNTIME = python.Runtime(
    INFO.libraries[0],
    "from ai_edge_litert.interpreter import Interpreter",
    """    def __init__(self) -> None:
        self.interpreter = Interpreter(str(MODEL))
        self.interpreter.allocate_tensors()

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        for detail, array in zip(self.interpreter.get_input_details(), arrays, strict=True):
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(detail["index"]) for detail in self.interpreter.get_output_details()]
""",
)
SNIPPETS = (
    Snippet("Call.kt", TEMPLATES / "tflite.kt.txt", android.tflite_kotlin, JVM_ARRAYS),
    Snippet("Call.java", TEMPLATES / "tflite.java.txt", android.tflite_java, JVM_ARRAYS),
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("call.cpp", TEMPLATES / "tflite.cpp.txt", cpp.tflite, C_TYPES),
)

# Opens one part of a model with early exits, in the code that runs them.
PART_SESSION = '''from ai_edge_litert.interpreter import Interpreter


def session(path, part):
    """Return a function from the part's inputs to its outputs."""
    opened = Interpreter(path, num_threads=THREADS)
    opened.allocate_tensors()
    inputs = [one["index"] for one in sorted(opened.get_input_details(), key=lambda one: one["name"])]
    outputs = [one["index"] for one in opened.get_output_details()]

    def run(*values):
        for index, value in zip(inputs, values):
            opened.set_tensor(index, value)
        opened.invoke()
        return [opened.get_tensor(index) for index in outputs]

    return run
'''
