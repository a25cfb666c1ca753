"""Refusal of a precision in integers that would change nothing of a model.

A file in floats would be written under its name otherwise.
"""

from __future__ import annotations

from collections import Counter

from edgevit.errors import TargetError
from edgevit.graph.aten import kind
from edgevit.graph.program import Program
from edgevit.quantize import QuantizedProgram, QuantScheme, is_weighted, place
from edgevit.support.backend_info import BackendInfo
from edgevit.targets import Target


def require_effect(
    quantized: QuantizedProgram, info: BackendInfo, precision: str, target: Target
) -> None:
    """Refuse a precision that rounds no call of the program as its name says."""
    program, scheme = quantized.original, quantized.scheme
    if has_effect(program, scheme):
        return
    others = [
        p for p in info.precisions if (s := info.scheme(p, target)) and has_effect(program, s)
    ]
    raise TargetError(
        f"{precision} rounds nothing of this model",
        where="--precision",
        why=f"{_why(program, scheme, info, precision)}; the file would hold floats under its name",
        hint=f"--precision {' or '.join([*others, info.precisions[0]])}",
    )


def has_effect(program: Program, scheme: QuantScheme) -> bool:
    calls = place(program, scheme).calls
    if scheme.narrow is None:
        return bool(calls)
    return any(is_weighted(node) and scheme.narrows(kind(node)) for node in calls)


def _why(program: Program, scheme: QuantScheme, info: BackendInfo, precision: str) -> str:
    """Say what the precision is of, and what the model has instead."""
    taken = scheme.integer if scheme.narrow is None else scheme.narrow
    counts = Counter(kind(node) for node in program.calls() if is_weighted(node))
    there = ", ".join(f"{name} ({count}x)" for name, count in counts.items()) or "none"
    reasons = {i.why for i in place(program, scheme).islands if i.kind in taken}
    rest = f"; {'; '.join(sorted(reasons))}" if reasons else ""
    return f"{precision} of {info.title} is of {', '.join(sorted(taken))}, and the model's products are: {there}{rest}"
