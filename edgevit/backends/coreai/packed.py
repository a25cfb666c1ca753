"""Rounded weights -> integers with scales, or indices into tables, which the device expands.

    constant float16 weight on the grid   ->   blockwise_shift_scale(int8 or int4, scales)
                                               lut_to_dense(uint8, uint6 or uint4, table)

The simulation holds such a weight as floats. It is recognised by its numbers: what is written stands
for exactly the weight that was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch.fx.node import Node

from edgevit.backends.coreai.tool import module
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program
from edgevit.quantize import IntegerWeight, RoundedWeight

RULE = "pack-weights"
_INT4 = 4


def packed(program: Program, weights: Iterable[RoundedWeight]) -> tuple[Program, int]:
    """Return the float16 program with packed weights, and how many of them it does not have."""
    module("coreai_torch._compression.custom_layers")  # defines the calls
    by_numbers = {_numbers(weight.floats().half()): weight for weight in weights}
    draft = Draft(program)
    written: set[str] = set()
    for node in [node for node in draft.graph.nodes if node.op == "get_attr" and node.users]:
        numbers = _numbers(draft.tensor(node))
        weight = by_numbers.get(numbers)
        if weight is not None and draft.tensor(node).dtype == torch.float16:
            edit = Edit(draft, RULE, node, list(node.users))
            edit.replace(node, _packed(weight, edit))
            written.add(numbers)
    return draft.program(), len(by_numbers) - len(written)


def _packed(weight: RoundedWeight, edit: Edit) -> Node:
    if isinstance(weight, IntegerWeight):
        scales = edit.constant(weight.scales_of_rank(weight.integers.dim()).half(), "scales")
        integers = edit.constant(weight.integers, "integers")
        dtype = torch.int4 if weight.bits == _INT4 else torch.int8  # pyright: ignore[reportAttributeAccessIssue]
        call = torch.ops.coreai.constexpr_blockwise_shift_scale.default
        return edit.call(call, integers, scales, None, None, dtype)
    table = weight.table.half().reshape(*[1] * weight.indices.dim(), -1, 1)
    # The converter knows the two by their names.
    indices, lut = edit.constant(weight.indices, "indices"), edit.constant(table, "lut")
    return edit.call(torch.ops.coreai.lut_to_dense.default, indices, lut, 0)


def _numbers(tensor: torch.Tensor) -> str:
    shape = str(tuple(tensor.shape)).encode()
    return hashlib.sha256(shape + tensor.contiguous().numpy().tobytes()).hexdigest()
