"""Operations that stay in fp32 where a package in fp16 departs from its model.

A softmax of large scores, a sum of squares or the difference of two near values may need more than fp16 has. The
shortest run of neighbouring operations is kept with which the outputs hold fp16's limit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any

from edgevit.graph.parity import Parity

PASS = "add_fp16_cast"


def shortest_range(
    names: Sequence[str], holds: Callable[[Collection[str]], bool]
) -> tuple[str, ...]:
    """Return a range that holds, and that does not where it is one shorter at either end; () if none does.

    Two binary searches, one an end: what a longer range holds, a shorter one mostly holds up to a point.
    """
    if not holds(frozenset(names)):
        return ()
    end = _first(0, len(names), lambda end: holds(frozenset(names[:end])))
    length = _first(0, end, lambda length: holds(frozenset(names[end - length : end])))
    return tuple(names[end - length : end])


def _first(fails: int, holds: int, check: Callable[[int], bool]) -> int:
    """Return a number that holds with the one below it failing, between one that fails and one that holds."""
    while holds - fails > 1:
        middle = (fails + holds) // 2
        if check(middle):
            holds = middle
        else:
            fails = middle
    return holds


def range_note(in_fp32: Sequence[str], of: int, places: Mapping[str, str], departed: Parity) -> str:
    """Say which operations are in fp32, and why."""
    ends = dict.fromkeys(_named(name, places) for name in (in_fp32[0], in_fp32[-1]))
    overflow = (note for note in departed.notes if "overflow" in note)
    why = next(chain(departed.unchecked, overflow), "")
    why = why or f"relative L2 {departed.distance.rel_l2:.1e}"
    return (
        f"{len(in_fp32)} of {of} operations are kept in fp32, {' to '.join(ends)}: in fp16 alone the outputs depart, "
        f"{why}. They run on the GPU or the CPU"
    )


def _named(name: str, places: Mapping[str, str]) -> str:
    place = places.get(name, "")
    return f"`{name}` at {place}" if place else f"`{name}`"


def halve_all_but(in_fp32: Collection[str]) -> Callable[[Any, Any], None]:
    """Return the pass that puts all but some operations in fp16, by the names of their results."""

    def halve(mil: Any, registry: Any) -> None:
        halving = registry[f"common::{PASS}"]
        if not in_fp32:
            halving(mil)
            return
        type(halving)(op_selector=lambda op: op.outputs[0].name not in in_fp32)(mil)

    return halve
