"""Loops from the kept values: each loop makes one or more of them and streams what leads to them.

A streamed value is computed again in every loop that needs it. A loop goes in lockstep, a tile of
positions at a time, if every operation needs the same positions. If one has a window, the loop goes
by rows of the image, and streamed rows stay as long as a window reaches back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from edgevit.backends.mcu.schedule.access import WHOLE, WINDOWED, access, keeps_rows, storage_of
from edgevit.integer import IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Reshape


class NoLoopError(Exception):
    """Kept values that make no loops: a streamed one is needed whole, or rows do not match."""


Member = tuple[frozenset[str], tuple[str, ...]]  # operations, and what of them is kept


@dataclass(frozen=True)
class Closure:
    """Operations that make a kept value from other kept values."""

    ops: frozenset[str]
    streamed: frozenset[str]  # without the value's own
    reads: frozenset[str]  # the other kept values


@dataclass(frozen=True)
class Net:
    """Graph with the lookups that a search repeats."""

    graph: IntegerGraph
    storage: dict[str, Value]
    makers: dict[str, Op]  # storage -> operation; none for inputs and constants
    readers: dict[str, tuple[Op, ...]]  # storage -> operations, without reshapes
    order: dict[str, int]
    _sources: dict[str, tuple[tuple[int, str], ...]]
    value_products: int  # of the core
    # What was worked out so far: a search asks for most of it again.
    loops: dict[Member, Loop] = field(default_factory=dict)
    walks: dict[tuple[Loop, int, int], Any] = field(
        default_factory=dict
    )  # Walk, which knows of loops
    scratch: dict[tuple[Loop, int, int], int] = field(default_factory=dict)
    own_bytes: dict[tuple[Loop, int, int], int] = field(default_factory=dict)
    work: dict[tuple[Loop, int], float] = field(default_factory=dict)
    made_over: dict[tuple[Loop, int, int], dict[str, str]] = field(default_factory=dict)
    closures: dict[str, list[Closure]] = field(default_factory=dict)
    overwrites: dict[tuple[Loop, int, int, str, str], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: IntegerGraph, value_products: int) -> Net:
        storage = storage_of(graph)
        ops = [op for op in graph.ops if not isinstance(op, Reshape)]
        readers: dict[str, list[Op]] = {}
        for op in ops:
            for name in dict.fromkeys(storage[value.name].name for value in op.inputs):
                readers.setdefault(name, []).append(op)
        makers = {op.name: op for op in ops}
        return cls(
            graph,
            storage,
            makers,
            {name: tuple(readings) for name, readings in readers.items()},
            {op.name: index for index, op in enumerate(ops)},
            {op.name: _made_inputs(op, storage, makers) for op in ops},
            value_products,
        )

    def sources(self, op: Op) -> tuple[tuple[int, str], ...]:
        """Return the index and storage of the inputs that an operation makes."""
        return self._sources[op.name]

    def must_keep(self) -> frozenset[str]:
        """Return the values that cannot be streamed.

        These are graph outputs, operands needed whole, results produced whole, and values reshaped
        across rows.
        """
        names = {self.storage[value.name].name for value in self.graph.outputs}
        for op in self.graph.ops:
            if isinstance(op, Reshape):
                if not keeps_rows(op):
                    names.add(self.storage[op.name].name)
                continue
            ways = [access(op, index) for index in range(len(op.inputs))]
            names.update(name for index, name in self.sources(op) if ways[index] == WHOLE)
            if ways and all(way == WHOLE for way in ways):
                names.add(op.name)
        return frozenset(names & set(self.makers))


def _made_inputs(
    op: Op, storage: dict[str, Value], makers: dict[str, Op]
) -> tuple[tuple[int, str], ...]:
    names = [(i, storage[value.name].name) for i, value in enumerate(op.inputs)]
    return tuple((i, name) for i, name in names if name in makers)


@dataclass(frozen=True, eq=False)
class Loop:
    ops: tuple[Op, ...]  # in order; each makes a row when its inputs have what it needs
    kept: tuple[str, ...]  # storages that are written whole
    reads: tuple[str, ...]  # kept storages of other loops, in the arena
    by_image: bool
    units: dict[str, int] = field(default_factory=dict)  # storage -> positions in a row


def build_loops(net: Net, kept_values: frozenset[str]) -> list[Loop]:
    """Return the loops in the order in which they run.

    Raise `NoLoopError` if the kept values make none.
    """
    closures = {name: _closure(net, name, kept_values) for name in kept_values}
    needs = {name: closure.reads for name, closure in closures.items()}
    users: dict[str, set[str]] = {name: set() for name in kept_values}
    for user, read in needs.items():
        for name in read:
            users[name].add(user)
    merged: list[Member] = []
    for name in _in_turn(net, needs):
        last = merged[-1] if merged else None
        ops = closures[name].ops
        if last and _fit(last, name, ops, needs, kept_values, users):
            merged[-1] = (last[0] | ops, (*last[1], name))
        else:
            merged.append((ops, (name,)))
    _require_once(net, merged)
    for member in merged:
        if member not in net.loops:
            net.loops[member] = _loop(net, *member)
    return [net.loops[member] for member in merged]


def _require_once(net: Net, merged: Sequence[Member]) -> None:
    for name in (name for name, op in net.makers.items() if op.single_pass):
        if sum(name in ops for ops, _ in merged) > 1:
            raise NoLoopError(f"several loops need {name}, which comes only once")


def _in_turn(net: Net, needs: dict[str, frozenset[str]]) -> list[str]:
    """Return the kept values in an order in which little is alive at a time.

    The order goes from each output back to what it needs, one branch after the other. Of these, the
    first is the one that takes the most to make beyond what it leaves (Sethi and Ullman).
    """
    turn: dict[str, None] = {}
    extra = _extra(net, needs)

    def visit(name: str) -> None:
        stack = [(name, False)]
        while stack:
            top, ready = stack.pop()
            if top in turn:
                continue
            if ready:
                turn[top] = None
                continue
            stack.append((top, True))
            before = list(needs[top])
            if len(before) > 1:
                before.sort(key=lambda name: (-extra[name], net.order[name]))
            stack += [(other, False) for other in reversed(before) if other not in turn]

    outputs = {net.storage[value.name].name for value in net.graph.outputs}
    for name in sorted(outputs & needs.keys(), key=net.order.__getitem__):
        visit(name)
    return list(turn)


def _extra(net: Net, needs: dict[str, frozenset[str]]) -> dict[str, float]:
    """Return the bytes alive at the worst moment of making each value, less its own.

    A value with several users is made before all else (infinite), and is not counted for any of
    them.
    """
    users = Counter(name for needed in needs.values() for name in needed)
    extra: dict[str, float] = {}
    for name in sorted(needs, key=net.order.__getitem__):
        most = total = 0.0
        own = [other for other in needs[name] if users[other] == 1]
        if len(own) > 1:
            own.sort(key=lambda other: (-extra[other], net.order[other]))
        for other in own:
            size = net.storage[other].bytes
            most, total = max(most, total + size + extra[other]), total + size
        extra[name] = max(most - net.storage[name].bytes, total)
    return {name: extra[name] if users[name] == 1 else inf for name in needs}


def _closure(net: Net, name: str, kept_values: frozenset[str]) -> Closure:
    """Return a value's closure: one of before where the kept values differ elsewhere alone."""
    before = net.closures.setdefault(name, [])
    for index, closure in enumerate(before):
        if closure.reads <= kept_values and kept_values.isdisjoint(closure.streamed):
            before.insert(0, before.pop(index))  # the next step asks for it again
            return closure
    before.insert(0, _new_closure(net, name, kept_values))
    return before[0]


def _new_closure(net: Net, name: str, kept_values: frozenset[str]) -> Closure:
    ops: set[str] = set()
    reads: set[str] = set()
    stack = [name]
    while stack:
        top = stack.pop()
        if top in ops:
            continue
        ops.add(top)
        op = net.makers[top]
        for index, source in net.sources(op):
            if source in kept_values:
                reads.add(source)
                continue
            if access(op, index) == WHOLE:
                raise NoLoopError(f"{op.name} needs all of {source}")
            stack.append(source)
    return Closure(frozenset(ops), frozenset(ops - {name}), frozenset(reads))


def _fit(
    last: Member,
    name: str,
    ops: frozenset[str],
    needs: dict[str, frozenset[str]],
    kept_values: frozenset[str],
    users: dict[str, set[str]],
) -> bool:
    """Return whether two loops can be one.

    They must stream a common value, read the same values, and be read by the same loops.
    """
    shared = (ops & last[0]) - kept_values
    same = all(users[name] == users[o] and needs[name] == needs[o] for o in last[1])
    return bool(shared) and same


def _reads(net: Net, ops: Iterable[str]) -> set[str]:
    return {source for name in ops for _, source in net.sources(net.makers[name])}


def _loop(net: Net, members: frozenset[str], names: tuple[str, ...]) -> Loop:
    ops = tuple(net.makers[name] for name in sorted(members, key=net.order.__getitem__))
    reads = tuple(sorted(_reads(net, members) - members))
    by_image = any(isinstance(op, WINDOWED) for op in ops)
    units = _image_units(net, ops, members) if by_image else {}
    if not by_image and len({_positions(op) for op in ops}) > 1:
        raise NoLoopError(f"rows of {', '.join(op.name for op in ops)} do not meet")
    return Loop(ops, names, reads, by_image, units)


def _positions(op: Op) -> int:
    return op.output.rows


def _image_units(net: Net, ops: Sequence[Op], members: frozenset[str]) -> dict[str, int]:
    """Return the positions in an image row of each storage, inferred from the windows outward."""
    units: dict[str, int] = {}

    def settle(name: str, unit: int) -> bool:
        if units.get(name, unit) != unit:
            raise NoLoopError(f"{name} is in rows of {units[name]} and of {unit}")
        is_known = name in units
        units[name] = unit
        return not is_known

    for op in ops:
        if isinstance(op, WINDOWED):
            settle(op.name, op.output.shape[1])
            settle(net.storage[op.source.name].name, op.source.shape[1])
    changed = True
    while changed:
        changed = False
        for op in ops:
            if isinstance(op, WINDOWED):
                continue
            near = [op.name, *(source for i, source in net.sources(op) if access(op, i) != WHOLE)]
            near_unit = next((units[name] for name in near if name in units), None)
            if near_unit is not None:
                settled = [settle(name, near_unit) for name in near]
                changed |= any(settled)
    for op in ops:
        if op.name not in units or op.output.rows % units[op.name]:
            raise NoLoopError(f"{op.name} has no image rows")
    return units
