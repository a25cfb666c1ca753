"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends.tflite.info import INFO
from edgevit.snippets import android, cpp, python
from edgevit.snippets.snippet import Snippet

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
    Snippet("Call.kt", "tflite.kt", android.tflite_kotlin),
    Snippet("Call.java", "tflite.java", android.tflite_java),
    Snippet("call.py", "python", partial(python.marks, _RUNTIME)),
    Snippet("call.cpp", "tflite.cpp", cpp.tflite),
)
