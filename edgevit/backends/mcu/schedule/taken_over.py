"""Values that are written over others: those made in place, and those whose bytes a dead one leaves."""

from __future__ import annotations

from collections.abc import Mapping

from edgevit.backends.mcu.kernels.card import Cards
from edgevit.backends.mcu.schedule.access import Same, access
from edgevit.backends.mcu.schedule.loops import Net
from edgevit.backends.mcu.schedule.packing import Pack
from edgevit.backends.mcu.schedule.walk import LoopWalk
from edgevit.integer import Op


def made_over(walk: LoopWalk, cards: Cards) -> dict[str, str]:
    """Return the streamed values of a loop that become another one in place, by what they become."""
    key = walk.loop, walk.tile, walk.strip
    if key not in walk.net.made_over:
        sources = {op.name: _made_over(walk, cards, op) for op in walk.loop.ops}
        walk.net.made_over[key] = {name: source for name, source in sources.items() if source}
    return walk.net.made_over[key]


def _made_over(walk: LoopWalk, cards: Cards, op: Op) -> str | None:
    """Return the streamed value of one reader that may become the value made from it.

    Not where a loop goes by image rows: there several rows are made before one is read.
    """
    first = next((source for i, source in walk.inside(op) if i == 0), None)
    if walk.loop.by_image or first is None or not cards[first].sources:
        return None
    if op.name not in walk.rings or not cards[op.name].in_place:
        return None
    same_rows = (
        walk.rings.get(first) == walk.rings[op.name]
        and walk.ring_bytes[first] == walk.ring_bytes[op.name]
        and isinstance(access(op, 0), Same)
        and walk.net.storage[first].dtype == op.output.dtype
    )
    return first if same_rows and all(o is op for o, _ in walk.readers[first]) else None


def taken_over(
    net: Net, cards: Cards, walks: list[LoopWalk], last: Mapping[str, int]
) -> dict[str, str]:
    """Return the values that are written over another, with the value each one overwrites.

    Both have the same size and type, and the overwritten one dies in the loop: each row is written after it
    was last read. This covers token overwriting and work in place.
    """
    same: dict[str, str] = {}
    for index, walk in enumerate(walks):
        for name in walk.loop.kept:
            dying = [
                other
                for other in walk.loop.reads
                if last[other] == index
                and net.storage[other].bytes == net.storage[name].bytes
                and net.storage[other].dtype == net.storage[name].dtype
                and other not in same.values()
            ]
            dead = next((other for other in dying if _overwrites(walk, cards, name, other)), None)
            if dead is not None:
                same[name] = dead
    return same


def _overwrites(walk: LoopWalk, cards: Cards, name: str, dying: str) -> bool:
    answers, key = walk.net.overwrites, (walk.loop, walk.tile, walk.strip, name, dying)
    if key not in answers:
        answers[key] = _may_overwrite(walk, cards, name, dying)
    return answers[key]


def _may_overwrite(walk: LoopWalk, cards: Cards, name: str, dying: str) -> bool:
    """Return whether the value may overwrite `dying`.

    Every row must be read for the last time before its bytes are written, or by the very call that
    writes them. What is packed is written in an order of its own.
    """
    if isinstance(walk.net.makers[name], Pack):
        return False
    if len(walk.loop.ops) == 1:
        op = walk.loop.ops[0]
        by_rows = all(
            isinstance(access(op, i), Same) for i, s in walk.net.sources(op) if s == dying
        )
        return by_rows and cards[op.name].in_place
    for op in walk.loop.ops:
        for index, source in walk.net.sources(op):
            if source != dying:
                continue
            if not isinstance(access(op, index), Same):
                return False
            if walk.unit(op.name) * op.inputs[index].shape[-1] != walk.unit(name) * walk.net.storage[name].shape[-1]:  # fmt: skip
                return False
            if op.name == name and not cards[name].in_place:
                return False
    return _read_before(walk, name, dying)


def _read_before(walk: LoopWalk, name: str, dying: str) -> bool:
    if not walk.loop.by_image:  # each row is read in the order of the operations, and then no more
        names = [op.name for op in walk.loop.ops]
        readers = [
            k
            for k, op in enumerate(walk.loop.ops)
            if any(s == dying for _, s in walk.net.sources(op))
        ]
        return max(readers) <= names.index(name)
    written: dict[int, int] = {}
    for time, (op, row) in enumerate(walk.events):
        if op.name == name:
            written[row] = time
    return all(
        time <= written[row]
        for time, (op, row) in enumerate(walk.events)
        if any(source == dying for _, source in walk.net.sources(op))
    )
