"""Weights with many zeros -> a bit for each number, and those that are not zero.

    const(w)                              ->   constexpr_sparse_to_dense(w[w != 0], mask)
    constexpr_blockwise_shift_scale(i)    ->   constexpr_sparse_to_dense(constexpr_sparse_blockwise_shift_scale(i[i != 0], mask))

The same numbers in a smaller package. Whether a unit skips zeros too is the device's affair. The second form is iOS 18's.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

_LEAST_ZEROS = 0.3  # of a weight; the mask is a sixteenth of float16
_LEAST = 1024  # numbers
_READERS = {"conv": "weight", "linear": "weight"}


def store_without_zeros(mil: Any) -> int:
    """Replace the weights of the MIL program in place. Returns how many."""
    count = 0
    target = import_module("coremltools.converters.mil._deployment_compatibility").AvailableTarget
    for function in mil.functions.values():
        if function.opset_version < target.iOS16:  # has no such form
            continue
        with function:
            for op in list(function.operations):
                numbers = _numbers(op)
                if numbers is not None and _is_sparse(numbers) and _is_weight(op):
                    _replace(function, op, numbers, function.opset_version >= target.iOS18)
                    count += 1
    return count


def _numbers(op: Any) -> np.ndarray | None:
    """Return what is stored of a weight, floats or integers; None for what has no sparse form."""
    if op.op_type == "const" and op.outputs[0].val is not None:
        val = np.asarray(op.outputs[0].val)
        return val if val.dtype in (np.float16, np.float32) else None
    if op.op_type == "constexpr_blockwise_shift_scale" and op.offset is None:
        return np.asarray(op.data.val)
    return None


def _is_sparse(numbers: np.ndarray) -> bool:
    least = _LEAST_ZEROS * numbers.size
    return numbers.size >= _LEAST and numbers.size - int(np.count_nonzero(numbers)) >= least


def _is_weight(op: Any) -> bool:
    readers = op.outputs[0].child_ops
    return bool(readers) and all(
        reader.op_type in _READERS and reader.inputs[_READERS[reader.op_type]] is op.outputs[0]
        for reader in readers
    )


def _replace(function: Any, op: Any, numbers: np.ndarray, typed: bool) -> None:
    """Write one weight. `typed`: the mask is a tensor of bits, else bytes and a shape."""
    mb = import_module("coremltools.converters.mil.mil").Builder
    types = import_module("coremltools.converters.mil.mil.types")
    there, values = numbers != 0, numbers[numbers != 0]
    name = f"{op.name}_sparse"
    if not typed:
        bits = np.packbits(there.ravel(), bitorder="little")
        shape = np.array(numbers.shape, np.uint32)
        new = mb.constexpr_sparse_to_dense(nonzero_data=values, mask=bits, shape=shape, before_op=op, name=name)  # fmt: skip
    else:
        mask = there.astype(types.nptype_from_builtin(types.uint1))
        if op.op_type != "const":
            mask, values = mb.constexpr_sparse_blockwise_shift_scale(
                data_mask=mask, nonzero_data=values, scale=op.scale, before_op=op
            )
        new = mb.constexpr_sparse_to_dense(nonzero_data=values, mask=mask, before_op=op, name=name)
    _keep_scopes(new.op, op)
    function.replace_uses_of_var_after_op(
        anchor_op=op,
        old_var=op.outputs[0],
        new_var=new,
        no_check_var_types=True,
        force_replace=True,
    )
    dense = [op] if op.op_type == "const" else [op, op.data.op]
    function.remove_ops(dense)


def _keep_scopes(new: Any, old: Any) -> None:
    """Give an operation and those that it reads the place that the old one came from."""
    new.scopes = old.scopes
    for value in new.inputs.values():
        if value is not None and value.op is not None and not value.op.scopes:
            _keep_scopes(value.op, old)
