"""Indices of 16 bits, only where none is beyond them.

    topk(x).indices, gather(x, indices)   ->   the same with int16 or uint16, for the Neural Engine

coremltools' pass `add_int16_cast` asks how long the axis is for `gather` alone. It narrows the places that `topk`
gives along an axis of 100,000 too, and integers that are gathered or reshaped, whatever they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

PASS = "add_int16_cast"
_MOST = {"topk": 1 << 16, "gather": 1 << 15, "gather_along_axis": 1 << 15}
_SHORT = ("int16", "uint16")


def narrow_safely(mil: Any, registry: Any) -> None:
    narrowing = registry[f"common::{PASS}"]
    type(narrowing)(op_selector=_is_safe)(mil)


def _is_safe(op: Any) -> bool:
    if _dtype(op.x) == "int32" and not _fits(op.x):
        return False
    if op.op_type == "gather_nd":
        return _longest(op.x.shape) <= _MOST["gather"]
    return op.op_type not in _MOST or _longest([op.x.shape[op.axis.val]]) <= _MOST[op.op_type]


def _fits(x: Any) -> bool:
    """Return whether integers have 16 bits: the pass reads constants itself, and others were cast from 16."""
    return x.val is not None or (
        x.op is not None and x.op.op_type == "cast" and _dtype(x.op.x) in _SHORT
    )


def _dtype(x: Any) -> str:
    types = import_module("coremltools.converters.mil.mil.types")
    return types.builtin_to_string(x.dtype)


def _longest(extents: Sequence[Any]) -> int:
    """Return the longest axis; all shapes are known here."""
    return max(map(int, extents), default=0)
