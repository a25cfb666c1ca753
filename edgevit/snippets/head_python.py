"""The head of a split model as Python that needs NumPy alone: `head/head.py`, with its numbers in `head.npz`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.errors import UnsupportedOpError
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Program, origin
from edgevit.snippets.head_forms import FORMS, HELPERS

HeadCode = Callable[[Sequence[torch.Tensor]], tuple[torch.Tensor, ...]]
FOLDER = "head"
FILE = "head.py"
_NUMBERS = "head.npz"
_TEXT = '''\
"""Head of `{name}`: from what the artifact gives, in its order, to what the model gives. It needs NumPy alone.

`python {file}` computes the example again, and says how far each output is from the model's.
"""

from pathlib import Path

import numpy as np

NUMBERS = np.load(Path(__file__).with_name("{numbers}"))

{helpers}
def head({arguments}):
    """Take {takes}."""
{lines}
    return {{{results}}}


if __name__ == "__main__":
    outputs = head(*(NUMBERS[f"example.{{k}}"] for k in range({count})))
    for k, (name, value) in enumerate(outputs.items()):
        print(name, value.shape, "largest difference", np.abs(value.astype(float) - NUMBERS[f"expected.{{k}}"]).max(initial=0))
'''


def require_head_forms(head: Program) -> None:
    """Refuse a head that has calls without a form in NumPy, all at once."""
    nameless = [node for node in head.calls() if kind(node) not in FORMS]
    if nameless:
        names = ", ".join(dict.fromkeys(f"`{op(node)}`" for node in nameless))
        raise UnsupportedOpError(
            f"no form in NumPy for {names} in the head of the model",
            where=origin(nameless[0]).place,
            why="`--head split` writes what is behind the last convolution or product as code",
            hint="--head native, or end the model before it",
        )


def write_head(folder: Path, head: Program) -> Path:
    """Write the code and its numbers: constants, and the example with what the model makes of it."""
    place = folder / FOLDER
    place.mkdir()
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in head.constants.items()}
    arrays |= {f"example.{k}": tensor.numpy() for k, tensor in enumerate(head.inputs)}
    arrays |= {f"expected.{k}": tensor.numpy() for k, tensor in enumerate(head.run())}
    np.savez(place / _NUMBERS, **arrays)
    (place / FILE).write_text(head_text(head), encoding="utf-8")
    return place / FILE


def head_text(head: Program) -> str:
    lines = [f"    {node.name} = {_expression(node)}" for node in head.calls()]
    body = "\n".join(lines)
    names = [node.name for node in head.placeholders()]
    shapes = (f"`{n}` {_dtype(t.dtype)} {'x'.join(map(str, t.shape))}" for n, t in zip(names, head.inputs, strict=True))  # fmt: skip
    outputs = zip(head.output_names, head.outputs(), strict=True)
    return _TEXT.format(
        name=head.name.removesuffix("-head"),
        file=FILE,
        numbers=_NUMBERS,
        helpers="".join(f"\n{text}\n\n" for name, text in HELPERS.items() if f"{name}(" in body),
        arguments=", ".join(names),
        takes=", ".join(shapes),
        lines=body or "    # the model gives them as they are",
        results=", ".join(f"{name!r}: {_rendered(node)}" for name, node in outputs),
        count=len(names),
    )


def load_head(file: Path) -> HeadCode:
    """Return the written head, on tensors. It is ours, and just written."""
    space: dict[str, Any] = {"__name__": "head", "__file__": str(file)}
    exec(compile(file.read_text("utf-8"), str(file), "exec"), space)

    def run(features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        results = space["head"](*(x.detach().numpy() for x in features))
        return tuple(torch.from_numpy(np.array(value)) for value in results.values())

    return run


def _expression(node: Node) -> str:
    text = FORMS[kind(node)](node, _rendered)
    result = node.meta["val"]
    if not isinstance(result, torch.Tensor):
        return text
    return f"np.asarray({text}, np.{_dtype(result.dtype)})"


def _dtype(dtype: torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    return "bool_" if name == "bool" else name


def _rendered(value: Any) -> str:
    """Return an argument as Python."""
    if isinstance(value, Node):
        return f"NUMBERS[{str(value.target)!r}]" if value.op == "get_attr" else value.name
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_rendered, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
