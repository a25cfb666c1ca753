"""Check of a plan by simulation over a map of the arena: every byte read must be the intended one.

From the planner it takes only what the emitted code has in it: which operations each loop does,
rings, offsets. What an operation reads, and in which order rows are made, is derived here once
more, from the operations themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgevit.backends.mcu.schedule.access import WINDOWED
from edgevit.backends.mcu.schedule.packing import Pack
from edgevit.backends.mcu.schedule.plan import Schedule, ring_name, scratch_name
from edgevit.backends.mcu.schedule.walk import LoopWalk
from edgevit.integer import SIZES, Op, Value
from edgevit.integer.ops.moves import Concat, Permute, Slice
from edgevit.integer.ops.norm import Norm
from edgevit.integer.ops.products import Linear
from edgevit.integer.ops.selection import Gather, OneHot, Scatter

_NOBODY, _SCRATCH = -1, -2


class OverwrittenError(AssertionError):
    """Overwritten byte that is still needed, or a read of one never written: an edgevit bug."""


def verify_plan(plan: Schedule) -> None:
    _Check(plan).run()


@dataclass
class _Check:
    plan: Schedule
    owner: np.ndarray = field(init=False)  # whose byte it is: the storage's number
    place: np.ndarray = field(init=False)  # and which of its bytes
    being_read: list[tuple[int, int, int]] = field(
        default_factory=list
    )  # by the call: start, end, address

    def __post_init__(self) -> None:
        self.owner = np.full(self.plan.size, _NOBODY, np.int64)
        self.place = np.zeros(self.plan.size, np.int64)
        self.numbers = {name: i for i, name in enumerate(self.plan.net.makers)}
        self.offsets = self.plan.offsets
        states = self.plan.net.graph.state_inputs
        self.numbers |= {state.name: len(self.numbers) + i for i, state in enumerate(states)}

    def run(self) -> None:
        states = self.plan.net.graph.state_inputs
        for state in states:
            self._write(state.name, 0, state.bytes, self.offsets[state.name])
        for index, walk in enumerate(self.plan.walks):
            self._loop(index, walk)
        for value in self.plan.net.graph.outputs:
            storage = self.plan.net.storage[value.name]
            if storage.name in self.numbers:
                self._read(storage.name, 0, storage.bytes, self.offsets[storage.name], "the caller")
        for state in states:
            self._read(state.name, 0, state.bytes, self.offsets[state.name], "the next call")

    def _loop(self, index: int, walk: LoopWalk) -> None:
        ops = walk.loop.ops
        if len(ops) == 1:
            self._call(index, walk, ops[0], 0, ops[0].output.rows)
        elif walk.loop.by_image:
            self._by_image(index, walk)
        else:
            for first in range(0, ops[-1].output.rows, walk.tile):
                for op in ops:
                    self._call(index, walk, op, first, min(walk.tile, op.output.rows - first))

    def _by_image(self, index: int, walk: LoopWalk) -> None:
        """Run a loop by rows of images, each made when a later row needs it."""
        ops, units = walk.loop.ops, walk.loop.units
        heights = {op.name: op.output.rows // units[op.name] for op in ops}
        done = dict.fromkeys(heights, 0)
        driver = ops[-1].name
        rows = max(1, min(self.plan.strip // units[driver], heights[driver]))
        steps = -(-heights[driver] // rows)
        for step in range(1, steps + 1):
            needs = dict.fromkeys(heights, 0)
            needs |= {name: heights[name] * step // steps for name in walk.loop.kept}
            for op in reversed(ops):
                for name in self._names(op):
                    if name in needs:
                        needs[name] = max(needs[name], _rows_for(op, needs[op.name], heights[name]))
            for op in ops:
                unit = units[op.name]
                row = done[op.name]
                while row < needs[op.name]:
                    count = self._together(walk, op, row, needs[op.name]) if rows > 1 else 1
                    self._call(index, walk, op, row * unit, count * unit)
                    row += count
                done[op.name] = row

    def _together(self, walk: LoopWalk, op: Op, row: int, end: int) -> int:
        """Return the image rows of one call: those of a linear layer lie one behind the other."""
        if isinstance(op, WINDOWED):
            return end - row
        if not isinstance(op, Linear):
            return 1
        names = (op.name, *self._names(op))
        rings = [walk.rings[name] for name in names if name in walk.rings]
        return min([end - row, *(ring - row % ring for ring in rings)])

    def _names(self, op: Op) -> list[str]:
        return [self.plan.net.storage[value.name].name for value in op.inputs]

    def _call(self, index: int, walk: LoopWalk, op: Op, first: int, count: int) -> None:
        """Run one call of a kernel: positions `first` up to `first + count` of its output."""
        self.being_read = []
        for value, name in zip(op.inputs, self._names(op), strict=True):
            if name in self.numbers:
                start, end = _positions_read(op, value, first, count)
                step = value.shape[-1] * SIZES[value.dtype]
                self._span(index, walk, name, start * step, end * step, op.name)
                self.being_read += self._addresses(index, walk, name, start * step, end * step)
        scratch = scratch_name(index)
        if scratch in self.offsets:
            base = self.offsets[scratch]
            size = next(b.size for b in self.plan.buffers if b.name == scratch)
            self.owner[base : base + size] = _SCRATCH
        step = op.output.shape[-1] * SIZES[op.output.dtype]
        if isinstance(op, Pack):  # into all of it, in an order of its own
            self._write(op.name, 0, op.output.bytes, self.offsets[op.name])
        else:
            self._spread(index, walk, op.name, first * step, (first + count) * step)

    def _addresses(self, index: int, walk: LoopWalk, name: str, start: int, end: int) -> list[tuple[int, int, int]]:  # fmt: skip
        """Return the contiguous pieces of a storage's byte range: start, end, address."""
        if ring_name(index, name) not in self.offsets:
            return [(start, end, self.offsets[name] + start)]
        base, ring = self.offsets[ring_name(index, name)], walk.rings[name]
        value = self.plan.net.storage[name]
        row = walk.loop.units.get(name, walk.tile) * value.shape[-1] * SIZES[value.dtype]
        pieces = []
        while start < end:
            upto = min(end, (start // row + 1) * row)
            pieces.append((start, upto, base + start // row % ring * row + start % row))
            start = upto
        return pieces

    def _span(
        self, index: int, walk: LoopWalk, name: str, start: int, end: int, reader: str
    ) -> None:
        for begin, upto, address in self._addresses(index, walk, name, start, end):
            self._read(name, begin, upto, address, reader)

    def _spread(self, index: int, walk: LoopWalk, name: str, start: int, end: int) -> None:
        for begin, upto, address in self._addresses(index, walk, name, start, end):
            self._write(name, begin, upto, address)

    def _write(self, name: str, start: int, end: int, address: int) -> None:
        where = slice(address, address + end - start)
        if where.stop > self.plan.size:
            raise OverwrittenError(f"{name} is written beyond the arena")
        for begin, upto, read in self.being_read:
            same = read == address and upto - begin == end - start
            in_place = self.plan.cards[name].in_place and same
            if read < where.stop and address < read + upto - begin and not in_place:
                raise OverwrittenError(
                    f"{name} is written over what the same call reads, at {address}"
                )
        self.owner[where] = self.numbers[name]
        self.place[where] = np.arange(start, end)

    def _read(self, name: str, start: int, end: int, address: int, reader: str) -> None:
        where = slice(address, address + end - start)
        mine = self.owner[where] == self.numbers[name]
        right = mine & (self.place[where] == np.arange(start, end))
        if len(right) != end - start or not right.all():
            at = int(np.argmin(right)) if len(right) else 0
            raise OverwrittenError(
                f"{reader} reads byte {start + at} of {name} at {address + at}, which is not there"
            )


def _rows_for(op: Op, rows: int, height: int) -> int:
    """Return the image rows of an input that the first `rows` of the output need."""
    window = getattr(op, "window", None)
    if window is None or rows == 0:
        return rows
    last = (rows - 1) * window.stride[0] - window.padding[0]
    return min(height, max(0, last + window.spans[0]))


def _positions_read(op: Op, value: Value, first: int, count: int) -> tuple[int, int]:
    """Return the positions of an input that are read for `count` output positions."""
    window = getattr(op, "window", None)
    if window is not None:
        wide, height = op.output.shape[1], value.shape[0]
        top = first // wide * window.stride[0] - window.padding[0]
        rows = _rows_for(op, (first + count) // wide, height)
        return max(0, top) * value.shape[1], rows * value.shape[1]
    whole = (0, value.rows)
    if isinstance(op, (Permute, Gather, Scatter, OneHot)) or value.rows != op.output.rows:
        return whole
    if isinstance(op, Norm) and op.axes > 1 and op.length != value.shape[-1]:
        return whole
    if isinstance(op, (Concat, Slice)) and op.axis != len(value.shape) - 1:
        return whole
    return first, first + count
