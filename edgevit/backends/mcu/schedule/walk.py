"""Simulation of a loop: the order in which operations make rows, as in the emitted code.

Each step demands some more rows of what the loop keeps. Backwards from there, it is determined how
many rows every operation has to have made. Forwards, each operation makes the missing ones, one row
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgevit.backends.mcu.schedule.access import Sliding, access
from edgevit.backends.mcu.schedule.loops import Loop, Net
from edgevit.integer import SIZES, Op, Value


@dataclass(frozen=True)
class LoopWalk:
    net: Net
    loop: Loop
    tile: int  # positions of a row, where the loop goes in lockstep
    strip: int = 1  # positions made in a step, where it goes by image rows: one row at least

    def unit(self, name: str) -> int:
        """Return the positions of one row of a storage."""
        return self.loop.units.get(name, self.tile)

    def height(self, name: str) -> int:
        """Return the rows of a storage; the last may be short in lockstep."""
        return -(-self._value(name).rows // self.unit(name))

    def _value(self, name: str) -> Value:
        return self.net.storage[name]

    @property
    def driver(self) -> Op:
        return self.loop.ops[-1]

    @property
    def rows_per_step(self) -> int:
        """Return the image rows of the driver in a step; steps may be short by one row."""
        if not self.loop.by_image:
            return 1
        name = self.driver.name
        return max(1, min(self.strip // self.unit(name), self.height(name)))

    @property
    def steps(self) -> int:
        return -(-self.height(self.driver.name) // self.rows_per_step)

    def rows_needed(self, name: str, step: int) -> int:
        """Return the rows of a kept value after `step` steps."""
        height = self.height(name)
        return height if step == self.steps else step * height // self.steps

    def demands(self, step: int) -> dict[str, int]:
        """Return the rows that every operation must have made after `step` steps."""
        needs = {op.name: 0 for op in self.loop.ops}
        for name in self.loop.kept:
            needs[name] = self.rows_needed(name, step)
        for op in reversed(self.loop.ops):
            for index, source in self.inside(op):
                needs[source] = max(needs[source], self._upto(op, index, source, needs[op.name]))
        return needs

    def _upto(self, op: Op, index: int, source: str, rows: int) -> int:
        how = access(op, index)
        if rows == 0 or not isinstance(how, Sliding):
            return rows
        return how.upto(rows, self.height(source))

    @cached_property
    def _inside(self) -> dict[str, list[tuple[int, str]]]:
        members = frozenset(member.name for member in self.loop.ops)
        return {
            op.name: [(i, source) for i, source in self.net.sources(op) if source in members]
            for op in self.loop.ops
        }

    def inside(self, op: Op) -> list[tuple[int, str]]:
        """Return the inputs that this loop makes."""
        return self._inside[op.name]

    @cached_property
    def events(self) -> tuple[tuple[Op, int], ...]:
        """Rows that are made, in order, each with its operation."""
        done = {op.name: 0 for op in self.loop.ops}
        events: list[tuple[Op, int]] = []
        for step in range(1, self.steps + 1):
            needs = self.demands(step)
            for op in self.loop.ops:
                events += [(op, row) for row in range(done[op.name], needs[op.name])]
                done[op.name] = max(done[op.name], needs[op.name])
        return tuple(events)

    def lowest(self, op: Op, index: int, row: int) -> int:
        """Return the first input row that is read for an output row."""
        how = access(op, index)
        return how.lowest(row) if isinstance(how, Sliding) else row

    def highest(self, op: Op, index: int, source: str, row: int) -> int:
        """Return the row after the last input row that is read for an output row."""
        return self._upto(op, index, source, row + 1)

    @cached_property
    def rings(self) -> dict[str, int]:
        """Rows of each streamed storage that must stay in memory."""
        if not self.loop.by_image:
            return {op.name: 1 for op in self.loop.ops if op.name not in self.loop.kept}
        rows_done = {op.name: 0 for op in self.loop.ops}
        rings = {op.name: 1 for op in self.loop.ops if op.name not in self.loop.kept}
        for op, row in self.events:
            rows_done[op.name] = row + 1
            if op.name in rings:
                readers = self.readers[op.name]
                oldest = min(self.lowest(r, i, rows_done[r.name]) for r, i in readers)
                rings[op.name] = max(rings[op.name], row + 1 - oldest)
        return {name: min(ring, self.height(name)) for name, ring in rings.items()}

    @cached_property
    def ring_bytes(self) -> dict[str, int]:
        return {
            op.name: self.rings[op.name] * unit_bytes(self, op)
            for op in self.loop.ops
            if op.name in self.rings
        }

    @cached_property
    def readers(self) -> dict[str, list[tuple[Op, int]]]:
        """Operations of the loop that read a value it makes, each with the input's index."""
        readers: dict[str, list[tuple[Op, int]]] = {}
        for op in self.loop.ops:
            for index, source in self.inside(op):
                readers.setdefault(source, []).append((op, index))
        return readers


def unit_bytes(walk: LoopWalk, op: Op, index: int | None = None) -> int:
    """Return the bytes of one row of the output, or of an input that is read by the same rows."""
    value = op.output if index is None else op.inputs[index]
    return walk.unit(op.name) * value.shape[-1] * SIZES[value.dtype]
