"""Rounded weights of a converted program -> integers with scales, or indices into tables.

    const(float weight on the grid)   ->   constexpr_blockwise_shift_scale(int4, scales)
                                           constexpr_lut_to_dense(indices, table)

The simulation holds such a weight as floats. It is recognised by its numbers, which no pass may
have changed: what is written stands for exactly the weight that was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from edgevit.quantize import IntegerWeight, RoundedWeight


def pack(mil: Any, weights: Iterable[RoundedWeight]) -> int:
    """Replace the float constants of the MIL program in place. Returns how many are not there."""
    table = {key: weight for weight in weights for key in _keys(weight)}
    packed: set[int] = set()
    for block in mil.functions.values():
        with block:
            for op in list(block.operations):
                weight = table.get(_key(op.outputs[0].val)) if _is_real(op) else None
                if weight is not None and _replace(block, op, weight):
                    packed.add(id(weight))
    return len({id(weight) for weight in table.values()} - packed)


def _is_real(op: Any) -> bool:
    if op.op_type != "const" or op.outputs[0].val is None:
        return False
    return np.asarray(op.outputs[0].val).dtype in (np.float16, np.float32)


def _keys(weight: RoundedWeight) -> tuple[str, str]:
    """Return the hashes of the weight in float32 and float16."""
    floats = weight.floats()
    return _key(floats.numpy()), _key(floats.half().numpy())


def _key(numbers: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers).tobytes()).hexdigest()


def _replace(block: Any, op: Any, weight: RoundedWeight) -> bool:
    """Write one weight. A pass may have added axes of one element behind the others."""
    val = np.asarray(op.outputs[0].val)
    rank = weight.floats().dim()
    shape = tuple(weight.floats().shape)
    if val.shape != (*shape, *[1] * (val.ndim - rank)):
        return False
    build = _integers if isinstance(weight, IntegerWeight) else _indices
    new = build(op, weight, val)
    for new_op in (new.op, *(var.op for var in new.op.inputs.values() if var.op is not None)):
        new_op.scopes = op.scopes  # where it came from: a program without is refused
    block.replace_uses_of_var_after_op(
        anchor_op=op, old_var=op.outputs[0], new_var=new, no_check_var_types=True
    )
    block.remove_ops([op])
    return True


def _frontend() -> Any:
    return import_module("coremltools.converters.mil.frontend._utils")


def _integers(op: Any, weight: Any, val: np.ndarray) -> Any:
    types = import_module("coremltools.converters.mil.mil.types")
    scales = weight.scales_of_rank(val.ndim).numpy().astype(val.dtype)
    integers = weight.integers.numpy().reshape(val.shape)
    if weight.bits == 4:
        integers = integers.astype(types.nptype_from_builtin(types.int4))
    return _frontend()._construct_constexpr_dequant_op(
        integers, None, scales, axis=weight.axis, name=f"{op.name}_integers", before_op=op
    )


def _indices(op: Any, weight: Any, val: np.ndarray) -> Any:
    lut = weight.table.numpy().astype(val.dtype).reshape(*[1] * val.ndim, -1, 1)
    indices = weight.indices.numpy().reshape(val.shape)
    return _frontend()._construct_constexpr_lut_op(
        indices, lut, name=f"{op.name}_indices", before_op=op
    )
