"""Offsets of the buffers in the arena.

Kept values are alive as long as they are read, the rest as long as their loop.

Buffers are placed one after the other at the lowest offset that is free for all their life, largest
first. If that misses the bound (the most bytes alive at once), other orders are tried, always the
same ones. A solver was not needed: on transformers and on conv nets the bound is met, and no
placement is smaller than the bound.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

ALIGNMENT = 16  # bytes; a vector of the widest core
_TRIES = 60

Span = tuple[int, int]  # offset and end of a buffer


@dataclass(frozen=True)
class Buffer:
    name: str
    size: int
    first: int  # loop that writes it
    last: int  # the last that reads it
    offset: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size

    def meets(self, other: Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last


def aligned(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT


def bound(buffers: Sequence[Buffer]) -> int:
    """Return a lower bound of the arena's size: the most bytes alive at once."""
    return max(alive_bytes(buffers), default=0)


def alive_bytes(buffers: Sequence[Buffer]) -> list[int]:
    """Return the bytes alive in each loop."""
    last = max((buffer.last for buffer in buffers), default=0)
    changes = [0] * (last + 2)
    for buffer in buffers:
        size = aligned(buffer.size)
        changes[buffer.first] += size
        changes[buffer.last + 1] -= size
    return list(accumulate(changes[:-1]))


def place(buffers: Sequence[Buffer], guard: int = 0, seam: int = 0) -> tuple[list[Buffer], int]:
    """Return the buffers with their offsets, and the arena's size.

    `guard` bytes after each buffer are free. No buffer lies across the offset `seam`, unless it is 0.
    """
    wider = [replace(buffer, size=buffer.size + guard) for buffer in buffers]
    placed, size = _place(wider, seam)
    return [replace(buffer, size=buffer.size - guard) for buffer in placed], size


def enlarged(
    buffers: Sequence[Buffer], name: str, size: int, end: int, guard: int = 0, seam: int = 0
) -> list[Buffer] | None:
    """Return the buffers with one of them larger, at the lowest offset that is free for all its life.

    None if it would end after `end`.
    """
    (small,) = (buffer for buffer in buffers if buffer.name == name)
    others = [replace(o, size=o.size + guard) if guard else o for o in buffers if o is not small]
    offset = _lowest(others, replace(small, size=size + guard), seam)
    large = replace(small, size=size, offset=offset)
    if aligned(large.end + guard) > end:
        return None
    return [large if buffer is small else buffer for buffer in buffers]


def placed_anew(
    buffers: Sequence[Buffer],
    names: Collection[str],
    own: Sequence[Buffer],
    end: int,
    seam: int = 0,
) -> list[Buffer] | None:
    """Return the buffers with `own` for those of these names, where no other has to move.

    Each is at the lowest offset that is free for all its life, the largest first. None if one would
    end after `end`.
    """
    placed = [buffer for buffer in buffers if buffer.name not in names]
    for buffer in sorted(own, key=lambda buffer: -buffer.size):
        placed.append(replace(buffer, offset=_lowest(placed, buffer, seam)))
        if aligned(placed[-1].end) > end:
            return None
    return placed


def _place(buffers: Sequence[Buffer], seam: int) -> tuple[list[Buffer], int]:
    least = bound(buffers)
    order = sorted(buffers, key=lambda b: (-b.size, b.first, b.name))
    best = _in_order(order, seam)
    shuffled = random.Random(0)
    for attempt in range(_TRIES):
        if _height(best) <= least:
            break
        if attempt == 0:
            order = sorted(buffers, key=lambda b: (b.first - b.last, -b.size, b.name))
        else:
            order = _stirred(order, shuffled)
        placement = _in_order(order, seam)
        if _height(placement) < _height(best):
            best = placement
    return best, _height(best)


def _stirred(order: list[Buffer], shuffled: random.Random) -> list[Buffer]:
    """Return the order with two buffers exchanged."""
    order = list(order)
    a, b = shuffled.randrange(len(order)), shuffled.randrange(len(order))
    order[a], order[b] = order[b], order[a]
    return order


def _height(buffers: Sequence[Buffer]) -> int:
    return aligned(max((buffer.end for buffer in buffers), default=0))


def _in_order(order: Sequence[Buffer], seam: int) -> list[Buffer]:
    placed: list[Buffer] = []
    taken: dict[int, list[Span]] = {}  # by loop
    for buffer in order:
        loops = range(buffer.first, buffer.last + 1)
        rivals = {span for loop in loops for span in taken.get(loop, ())}
        placed.append(replace(buffer, offset=_lowest_between(rivals, buffer.size, seam)))
        for loop in loops:
            taken.setdefault(loop, []).append(_span(placed[-1]))
    return placed


def _span(buffer: Buffer) -> Span:
    return buffer.offset, aligned(buffer.end)


def _lowest(placed: Iterable[Buffer], buffer: Buffer, seam: int) -> int:
    """Return the lowest offset that is free for all the life of a buffer."""
    return _lowest_between((_span(o) for o in placed if o.meets(buffer)), buffer.size, seam)


def _lowest_between(rivals: Iterable[Span], size: int, seam: int) -> int:
    offset = _on_one_side(0, size, seam)
    for start, end in sorted(rivals):
        if offset + size <= start:
            break
        offset = _on_one_side(max(offset, end), size, seam)
    return offset


def _on_one_side(offset: int, size: int, seam: int) -> int:
    return aligned(seam) if offset < seam < offset + size else offset
