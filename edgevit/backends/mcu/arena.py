"""Where every value lies while the network runs: one arena, places by lifetime.

Values that are the same bytes (a reshape, an operation done in place) share one buffer. Buffers are placed from the largest
down, each at the lowest offset that no buffer alive at the same time covers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgevit.integer.graph import IntegerGraph, Op
from edgevit.integer.ops.moves import Reshape

_ALIGNMENT = 16  # bytes


@dataclass(frozen=True)
class Buffer:
    """Alive from the step that first writes it to the last that reads it."""

    names: tuple[str, ...]  # the values in it, or the operation whose scratch it is
    size: int
    first: int
    last: int
    is_scratch: bool = False
    offset: int = 0


@dataclass(frozen=True)
class ArenaPlan:
    buffers: tuple[Buffer, ...]
    size: int

    @property
    def offsets(self) -> dict[str, int]:
        """By value."""
        return {name: b.offset for b in self.buffers if not b.is_scratch for name in b.names}

    @property
    def scratch(self) -> dict[str, int]:
        """By operation."""
        return {b.names[0]: b.offset for b in self.buffers if b.is_scratch}


def plan_arena(
    graph: IntegerGraph,
    scratch_of: Callable[[Op], int],
    in_place: Callable[[Op], bool],
    guard: int = 0,
) -> ArenaPlan:
    """Inputs and constants are not in the arena: they are the caller's, and flash. `guard` bytes after every buffer
    belong to nobody."""
    scratches = [
        Buffer((op.name,), scratch_of(op), step, step, is_scratch=True)
        for step, op in enumerate(graph.ops)
        if scratch_of(op)
    ]
    placed = _place([*_buffers(graph, in_place), *scratches], guard)
    size = max((buffer.offset + buffer.size + guard for buffer in placed), default=0)
    return ArenaPlan(tuple(placed), _aligned(size))


def _buffers(graph: IntegerGraph, in_place: Callable[[Op], bool]) -> list[Buffer]:
    outside = {v.name for v in graph.inputs} | {c.value.name for c in graph.constants}
    last = _last_reads(graph)
    home: dict[str, list[str]] = {}
    for step, op in enumerate(graph.ops):
        names = [op.name]
        if op.source.name in outside:
            if isinstance(op, Reshape):
                outside.add(op.name)
                continue
        elif _shares(op, step, last, home, in_place):
            names = home[op.source.name]
            names.append(op.name)
        home[op.name] = names
    made = {op.name: (step, op.output.bytes) for step, op in enumerate(graph.ops)}
    groups = {id(names): names for names in home.values()}
    return [
        Buffer(
            tuple(names),
            max(made[name][1] for name in names),
            min(made[name][0] for name in names),
            max(last.get(name, made[name][0]) for name in names),
        )
        for names in groups.values()
    ]


def _shares(
    op: Op,
    step: int,
    last: dict[str, int],
    home: dict[str, list[str]],
    in_place: Callable[[Op], bool],
) -> bool:
    """Nobody else may read the bytes afterwards, under any of their names."""
    if isinstance(op, Reshape):
        return True
    dead = all(last[name] <= step for name in home[op.source.name])
    return in_place(op) and dead and op.output.bytes == op.source.bytes


def _last_reads(graph: IntegerGraph) -> dict[str, int]:
    """By value; outputs are read after the end, and so is what they are another name of."""
    last = {value.name: step for step, op in enumerate(graph.ops) for value in op.inputs}
    end = len(graph.ops)
    last.update({value.name: end for value in graph.outputs})
    for op in reversed(graph.ops):
        last.setdefault(op.name, 0)
        if isinstance(op, Reshape):
            last[op.source.name] = max(last[op.source.name], last[op.name])
    return last


def _place(buffers: Sequence[Buffer], guard: int) -> list[Buffer]:
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first, b.names)):
        rivals = sorted(
            (other.offset, other.offset + other.size + guard)
            for other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        offset = 0
        for start, end in rivals:
            if offset + buffer.size + guard <= start:
                break
            offset = max(offset, _aligned(end))
        placed.append(replace(buffer, offset=offset))
    return placed


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
