"""Hidden channels that are constant, folded into the bias of the layer that reads them.

    linear(gelu(linear(x, W, b)), V, c)     a row of W is zero, so that its channel is gelu(b)
                                            -> the row's bias is 0, and c grows by V gelu(b)

Exact. Such a channel carries nothing, and its value may be far beyond what the others have.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, mapped_arguments, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, shape
from edgevit.quantize.op_traits import is_constant, is_pointwise
from edgevit.rewrites.convolutions.linear_calls import called_with

NAME = "fold-constant-channels"


def constants_folded(program: Program) -> Program:
    """Return the program without constant hidden channels, or itself where there are none."""
    pairs = list(_pairs(program))
    if not pairs:
        return program
    draft = Draft(program)
    here = {node.name: node for node in draft.graph.nodes}
    for writer, last, reader in pairs:
        here |= _fold(here, writer, last, reader, program, draft)
    return draft.program()


def _pairs(program: Program) -> Iterator[tuple[Node, Node, Node]]:
    """Find a layer, an elementwise function of it alone, and the one layer that reads that."""
    for writer in program.calls():
        if not _is_layer(writer, program) or not bool(_constant_rows(writer, program).any()):
            continue
        last = writer
        while len(last.users) == 1 and is_pointwise(next(iter(last.users)), program):
            last = next(iter(last.users))
        if len(last.users) == 1 and last is not writer:
            (reader,) = last.users
            if (
                _is_layer(reader, program)
                and operand(reader) is last
                and _same_axis(writer, reader)
            ):
                yield writer, last, reader


def _same_axis(writer: Node, reader: Node) -> bool:
    return (kind(writer) == "linear") == (kind(reader) == "linear")


def _is_layer(node: Node, program: Program) -> bool:
    """Check for a linear or 1x1 convolution with constant weights and a bias."""
    if kind(node) not in {"linear", "conv2d"}:
        return False
    weight, bias = argument(node, "weight"), argument(node, "bias")
    if not is_constant(weight, program) or not is_constant(bias, program):
        return False
    if kind(node) == "linear":
        return True
    pads = argument(node, "padding")
    return set(shape(weight)[2:]) == {1} and argument(node, "groups") == 1 and not (
        isinstance(pads, str) or any(pads)
    )  # fmt: skip


def _constant_rows(node: Node, program: Program) -> torch.Tensor:
    weight = program.constants[argument(node, "weight").target]
    bias = program.constants[argument(node, "bias").target]
    return (weight.flatten(1) == 0).all(1) & (bias != 0)


def _fold(
    here: dict[str, Node], writer: Node, last: Node, reader: Node, program: Program, draft: Draft
) -> dict[str, Node]:
    rows = _constant_rows(writer, program)
    bias = program.constants[argument(writer, "bias").target]
    constants = _values(writer, last, bias, program)
    empty = _values(writer, last, torch.where(rows, 0.0, bias), program)
    weight = program.constants[argument(reader, "weight").target]
    moved = weight.flatten(1).double() @ (constants - empty).double()
    own = program.constants[argument(reader, "bias").target].double() + moved
    changed = {
        writer.name: _with_bias(here[writer.name], torch.where(rows, 0.0, bias), draft),
    }
    here = here | changed
    changed[reader.name] = _with_bias(here[reader.name], own.to(weight.dtype), draft)
    return changed


def _with_bias(node: Node, bias: torch.Tensor, draft: Draft) -> Node:
    edit = Edit(draft, NAME, node)
    return edit.replace(node, called_with(node, draft.tensor(argument(node, "weight")), bias, edit))


def _values(writer: Node, last: Node, bias: torch.Tensor, program: Program) -> torch.Tensor:
    """Return what the function makes of the biases alone."""
    values = {writer: bias}

    def value_of(node: Node) -> torch.Tensor:
        if node not in values:
            if is_constant(node, program):
                values[node] = program.constants[str(node.target)].reshape(())
            else:
                args, kwargs = mapped_arguments(node, value_of)
                values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        return values[node]

    with torch.no_grad():
        return value_of(last)
