"""Refusals of what a format does not support: all ops at once, each with the user's line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch.fx.node import Node

from edgevit.errors import TargetError, UnsupportedOpError
from edgevit.graph.advice import name_of, way_out
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Program, origin, value
from edgevit.graph.text import type_text

_SHOWN = 5  # places listed for each op
READABLE = frozenset({
    torch.float16, torch.float32, torch.float64, torch.bool,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
})  # fmt: skip
_READ_AS = {
    True: "return `torch.view_as_real(y)`, or the length and the angle",
    False: "return `y.float()`: --precision chooses what the device computes in",
}


def refuse_ops(nodes: Iterable[Node], format: str, why: str) -> None:
    """Raise `UnsupportedOpError` for all of `nodes`, or return if there are none.

    `why` ends in "for".
    """
    unknown: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        unknown[name_of(node)].append(node)
    if not unknown:
        return
    names = ", ".join(f"`{name}` ({len(nodes)}x)" for name, nodes in unknown.items())
    raise UnsupportedOpError(
        f"{format} cannot lower {names}",
        where="\n".join(line for name, nodes in unknown.items() for line in _places(name, nodes)),
        why=f"{why} {'it' if len(unknown) == 1 else 'them'}",
        hint=way_out([node for nodes in unknown.values() for node in nodes]),
    )


def refuse_inputs(program: Program, taken: Iterable[torch.dtype], format: str, why: str) -> None:
    """Raise `UnsupportedOpError` for all inputs of a dtype that is not in `taken`."""
    wrong = [
        f"`{name}` is {type_text(tensor)}"
        for name, tensor in zip(program.input_names, program.inputs, strict=True)
        if tensor.dtype not in set(taken)
    ]
    if wrong:
        raise UnsupportedOpError(
            f"{format} has no such input: " + ", ".join(wrong),
            why=why,
            hint="take float32 in `forward` and cast inside the model",
        )


def refuse_outputs(program: Program, format: str) -> None:
    """Raise `UnsupportedOpError` for all outputs of a dtype that callers of an artifact cannot read."""
    outputs = zip(program.output_names, program.outputs(), strict=True)
    wrong = [(name, node) for name, node in outputs if value(node).dtype not in READABLE]
    if not wrong:
        return
    raise UnsupportedOpError(
        f"{format} has no such output: "
        + ", ".join(f"`{name}` is {type_text(value(node))}" for name, node in wrong),
        where="\n".join(f"{op(node)}   at  {origin(node)}" for _, node in wrong),
        why="outputs are real numbers, integers and booleans that NumPy has a type for",
        hint=_READ_AS[any(value(node).dtype.is_complex for _, node in wrong)],
    )


def refuse_precision(format: str, precision: str, taken: Sequence[str]) -> None:
    if precision not in taken:
        raise TargetError(
            f"edgevit does not write {format} in {precision} yet",
            why=f"it writes {', '.join(taken)}",
            hint=f"--precision {taken[0]}",
        )


def read_places(program: Program) -> list[Node]:
    """Return the max-pooling calls whose index output (`getitem` 1) is read."""
    return [
        node
        for node in program.calls()
        if "max_pool" in kind(node)
        and any(op(read) == "getitem" and read.args[1] == 1 and read.users for read in node.users)
    ]


def _places(name: str, nodes: list[Node]) -> list[str]:
    """Return one line for each call, with its shapes and its place, up to `_SHOWN`.

    Example: `scatter_add(1x196x64 f32, ...) -> 1x196x64 f32   at  blocks.3.attn  model.py:88`.
    """
    lines = []
    for node in nodes[:_SHOWN]:
        inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
        lines.append(f"{name}({inputs}) -> {type_text(value(node))}   at  {origin(node)}")
    if len(nodes) > _SHOWN:
        lines.append(f"{name}: and {len(nodes) - _SHOWN} more")
    return lines
