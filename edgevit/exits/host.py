"""Python beside the parts: it runs them one after another, until an exit is sure."""

from __future__ import annotations

_SESSIONS = {
    "onnx": '''import onnxruntime


def session(path, part):
    """Return a function from the part's inputs to its outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in opened.get_inputs()]
    return lambda *values: opened.run(None, dict(zip(names, values)))
''',
    "tflite": '''from ai_edge_litert.interpreter import Interpreter


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
''',
}
HOSTED = tuple(_SESSIONS)

_TEXT = '''"""Run a model with early exits: `python run_exits.py INPUT.npy`, an input as `exits.json` names it.

As a module: `load()` returns a function from an input to its logits and the number of the exit that was sure.
"""

import json
import sys
from pathlib import Path

import numpy as np
{session}
HERE = Path(__file__).parent
THREADS = 1


def load(folder=HERE):
    plan = json.loads((Path(folder) / "exits.json").read_text())
    parts = plan["parts"]
    runs = [session(str(Path(folder) / part["file"]), part) for part in parts]

    def classify(*inputs):
        values = dict(zip(plan["inputs"], inputs))
        for number, (part, run) in enumerate(zip(parts, runs), 1):
            outputs = run(*(values[name] for name in part["inputs"]))
            values.update(zip(part["outputs"], outputs))
            logits = outputs[0]
            if number == len(parts) or confidence(logits[0]) >= part["threshold"]:
                return logits, number

    return classify


def confidence(logits):
    """The largest softmax."""
    raised = np.exp(logits - logits.max())
    return raised.max() / raised.sum()


if __name__ == "__main__":
    logits, number = load()(*(np.load(path) for path in sys.argv[1:]))
    print(f"exit {{number}}: class {{int(logits[0].argmax())}}, {{confidence(logits[0]):.1%}}")
'''


def host_code(format: str) -> str:
    return _TEXT.format(session=_SESSIONS[format])
