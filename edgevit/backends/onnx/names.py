"""Names of outputs: in an ONNX graph no two values share one, in TFLite and in a dictionary of PyTorch's they may."""

from __future__ import annotations

from dataclasses import replace

from edgevit.graph.program import Program


def with_own_outputs(program: Program) -> Program:
    """Rename outputs that are called like an input: `boxes` and `boxes_1`, as in Core ML."""
    taken, names = {*program.input_names, *program.output_names}, list[str]()
    for name in program.output_names:
        unique, count = name, 1
        while unique in program.input_names or unique in names or (count > 1 and unique in taken):
            unique, count = f"{name}_{count}", count + 1
        names.append(unique)
    return replace(program, output_names=tuple(names))


def renamed_notes(before: Program, after: Program) -> tuple[str, ...]:
    pairs = zip(before.output_names, after.output_names, strict=True)
    return tuple(f"`{old}` is called `{new}`" for old, new in pairs if old != new)
