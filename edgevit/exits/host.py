"""Python beside the parts: it runs them one after another, until an exit is sure."""

from __future__ import annotations

from edgevit.support.backend_info import BACKENDS

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


def hosted() -> tuple[str, ...]:
    """Return the formats that there is host code for."""
    return tuple(name for name, info in BACKENDS.items() if info.part_session)


def exit_formats() -> tuple[str, ...]:
    """Return the formats whose exits can be left early: by host code, or by the firmware itself."""
    return (*hosted(), *(name for name, info in BACKENDS.items() if info.early))


def host_code(format: str) -> str:
    place = BACKENDS[format].part_session
    assert place is not None
    return _TEXT.format(session=BACKENDS[format].part(place))
