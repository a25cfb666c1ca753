"""Encodings that training has chosen: read from quantize and dequantize pairs in a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand, run_call
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program
from edgevit.quantize.encoding import LIMITS, Grid
from edgevit.quantize.op_traits import bounds
from edgevit.quantize.placement import is_weighted
from edgevit.quantize.scheme import QuantScheme
from edgevit.quantize.weights import IntegerWeight

_BITS = 8


@dataclass(frozen=True)
class TrainedEncodings:
    """By the names of values, and of the calls that read a weight."""

    values: Mapping[str, Grid] = field(default_factory=dict[str, Grid])
    weights: Mapping[str, IntegerWeight] = field(default_factory=dict[str, IntegerWeight])

    def of(self, node: Node, scheme: QuantScheme) -> Grid | None:
        """Return the encoding of a value, or of what a clamp returns of it: zero is on its grid."""
        while node.name not in self.values and bounds(node) is not None:
            node = node.all_input_nodes[0]
        grid = self.values.get(node.name)
        if grid is None or scheme.symmetric or scheme.activations not in {"int8", "uint8"}:
            return None
        moved = LIMITS[scheme.activations][0] - LIMITS[grid.dtype][0]
        return Grid(grid.scale, grid.zero + moved, scheme.activations)

    def weight_of(self, node: Node, scheme: QuantScheme) -> IntegerWeight | None:
        """Return the weight that training rounded, where the scheme stores such."""
        form = scheme.form_of(node)
        plain = form.bits == _BITS and not form.palette and not form.block
        return self.weights.get(node.name) if plain else None


UNTRAINED = TrainedEncodings()


def has_pairs(program: Program) -> bool:
    return any(kind(node).startswith("dequantize_per_") for node in program.calls())


def without_pairs(program: Program) -> tuple[Program, TrainedEncodings]:
    """Take the pairs out of a program, and return what they say; weights stay rounded."""
    if not has_pairs(program):
        return program, UNTRAINED
    draft, values, weights = Draft(program), dict[str, Grid](), dict[str, IntegerWeight]()
    for node in list(draft.graph.nodes):
        if not kind(node).startswith("dequantize_per_"):
            continue
        source = operand(operand(node))
        if draft.is_constant(source):
            weights |= _weights(node, source, draft)
        elif kind(node) == "dequantize_per_tensor":
            values[source.name] = _grid(node)
        node.replace_all_uses_with(source)
    return draft.program(), TrainedEncodings(values, weights)


def _grid(node: Node) -> Grid:
    dtype = str(argument(node, "dtype")).removeprefix("torch.")
    return Grid(float(argument(node, "scale")), int(argument(node, "zero_point")), dtype)


def _weights(node: Node, source: Node, draft: Draft) -> dict[str, IntegerWeight]:
    """Give the constant its rounded numbers; return its integers for each call that reads it."""
    weight = draft.tensor(source)
    scales, zeros, axis = _scales(node, weight, draft)
    integers = run_call(operand(node), *_on(operand(node), weight, draft))
    draft.constants[str(source.target)] = run_call(node, *_on(node, integers, draft))
    readers = [user for user in node.users if is_weighted(user)]
    if zeros.any() or axis != 0 or not all(argument(user, "weight") is node for user in readers):
        return {}
    return {
        user.name: IntegerWeight(integers.to(torch.int8), scales, axis, _BITS, None)
        for user in readers
    }


def _scales(
    node: Node, weight: torch.Tensor, draft: Draft
) -> tuple[torch.Tensor, torch.Tensor, int]:
    if has_argument(node, "axis"):
        scales, zeros = (draft.tensor(argument(node, name)) for name in ("scales", "zero_points"))
        return scales.float(), zeros, int(argument(node, "axis"))
    one = torch.full((len(weight),), float(argument(node, "scale")))
    return one, torch.tensor(int(argument(node, "zero_point"))), 0


def _on(node: Node, first: torch.Tensor, draft: Draft) -> list[object]:
    """Return a call's arguments with another first one."""
    rest = [draft.tensor(one) if isinstance(one, Node) else one for one in node.args[1:]]
    return [first, *rest]
