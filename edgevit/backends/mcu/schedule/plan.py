"""Plan: loops in order, a card for each operation, and a place for every buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edgevit.backends.mcu.kernels.card import Card, Cards, Tile, rows_cost, whole
from edgevit.backends.mcu.schedule.access import WINDOWED
from edgevit.backends.mcu.schedule.loops import Loop, Net, build_loops
from edgevit.backends.mcu.schedule.memory import Buffer, aligned, alive_bytes, enlarged, place
from edgevit.backends.mcu.schedule.states import state_buffers
from edgevit.backends.mcu.schedule.taken_over import made_over, taken_over
from edgevit.backends.mcu.schedule.walk import LoopWalk
from edgevit.integer import Op
from edgevit.integer.ops.products import Depthwise, Linear

_CROWDED = 32  # exponent: a loop that is 2 % less full than the fullest is half a one
_UNPACKING = (
    20  # a tap, over the positions of a call: by calls of 1 to 25 rows of 5 pixels on a Cortex-M4
)


@dataclass(frozen=True)
class Schedule:
    net: Net
    cards: Cards
    tile: int
    strip: int
    walks: tuple[LoopWalk, ...]
    buffers: tuple[Buffer, ...]
    size: int  # of the arena
    offered: Cards  # of which `cards` are the wider ones, where there was room
    same_bytes: Mapping[str, str]  # kept storage or ring -> the one whose place it takes over
    seam: int = 0  # offset of the arena at which another memory begins; no buffer lies across it

    @property
    def offsets(self) -> dict[str, int]:
        """Offset of each buffer, by name."""
        offsets = {buffer.name: buffer.offset for buffer in self.buffers}
        return offsets | {name: offsets[_root(name, self.same_bytes)] for name in self.same_bytes}

    @property
    def loops(self) -> tuple[Loop, ...]:
        return tuple(walk.loop for walk in self.walks)

    @property
    def computed(self) -> int:
        """Work in the loops, recomputation included: products, and a share for every value made."""
        return sum(_work(walk, self.cards) for walk in self.walks)


class PlanFigures(NamedTuple):
    """What a plan costs, before it is placed."""

    size: int  # a lower bound of all placements
    computed: int
    crowd: float  # how many loops are as full as the fullest; one that is less full counts for less


def ring_name(loop: int, storage: str) -> str:
    return f"{loop}:{storage}"


def scratch_name(loop: int) -> str:
    return f"{loop}:scratch"


def make_plan(
    net: Net,
    cards: Cards,
    kept_values: frozenset[str],
    tile: int,
    guard: int = 0,
    strip: int = 1,
    seam: int = 0,
) -> Schedule:
    """Return the plan that keeps these values. Raise `NoLoopError` if they make no loops.

    `guard` bytes after every buffer belong to no value.
    """
    walks = [_walk(net, loop, tile, strip) for loop in build_loops(net, kept_values)]
    last = _last_loops(net, walks)
    same = {} if guard else taken_over(net, cards, walks, last)
    shared = {} if guard else _shared_rings(cards, walks)
    buffers = [*state_buffers(net.graph, len(walks)), *_kept_buffers(net, walks, same, last)]
    for index, walk in enumerate(walks):
        buffers += loop_buffers(index, walk, _least_scratch(walk, cards), shared)
    buffers, size = place(buffers, guard, seam)
    chosen, buffers = _widened(cards, walks, buffers, size, guard, seam)
    return Schedule(
        net, chosen, tile, strip, tuple(walks), tuple(buffers), size, cards, same | shared, seam
    )


def plan_figures(net: Net, cards: Cards, kept_values: frozenset[str], tile: int) -> PlanFigures:
    """Return what the plan that keeps these values costs. Raise `NoLoopError` if they make no loops."""
    walks = [_walk(net, loop, tile, 1) for loop in build_loops(net, kept_values)]
    last = _last_loops(net, walks)
    buffers = _kept_buffers(net, walks, taken_over(net, cards, walks, last), last)
    alive = alive_bytes([*state_buffers(net.graph, len(walks)), *buffers])
    alive += [0] * (len(walks) - len(alive))
    for index, walk in enumerate(walks):
        alive[index] += _own_bytes(walk, cards)
    most = max(alive, default=0)
    crowd = sum((count / most) ** _CROWDED for count in alive) if most else 1.0
    return PlanFigures(most, sum(_work(walk, cards) for walk in walks), crowd)


def _own_bytes(walk: LoopWalk, cards: Cards) -> int:
    """Return the bytes that are alive in a loop alone: its rings and its scratch."""
    key = walk.loop, walk.tile, walk.strip
    if key not in walk.net.own_bytes:
        inside = made_over(walk, cards)
        rings = (aligned(size) for name, size in walk.ring_bytes.items() if name not in inside)
        walk.net.own_bytes[key] = sum(rings) + aligned(_least_scratch(walk, cards))
    return walk.net.own_bytes[key]


def _walk(net: Net, loop: Loop, tile: int, strip: int) -> LoopWalk:
    key = loop, _tile(loop, tile), strip if loop.by_image else 1
    if key not in net.walks:
        net.walks[key] = LoopWalk(net, *key)
    return net.walks[key]


def _tile(loop: Loop, tile: int) -> int:
    """Return the rows of a tile; an operation alone in its loop computes all its rows at once."""
    rows = loop.ops[-1].output.rows
    return rows if len(loop.ops) == 1 else min(tile, rows)


def tile_of(walk: LoopWalk, op: Op, rows: int | None = None) -> Tile:
    """Return what one call computes in its loop; `rows` if the last tile is short."""
    if isinstance(op, WINDOWED):
        source = walk.net.storage[op.source.name].name
        rings = (walk.rings.get(source, op.source.shape[0]), walk.rings.get(op.name, op.output.shape[0]))  # fmt: skip
        return Tile(_window_rows(walk, op), *rings)
    if len(walk.loop.ops) == 1:
        return whole(op)
    if is_told_rows(walk, op):
        return Tile(0)
    return Tile(rows or min(walk.unit(op.name), op.output.rows))


def _window_rows(walk: LoopWalk, op: Op) -> int:
    """Return the image rows of a call; 0 where each call is told how many."""
    if len(walk.loop.ops) == 1:
        return op.output.shape[0]
    return 0 if is_told_rows(walk, op) else 1


def is_told_rows(walk: LoopWalk, op: Op) -> bool:
    """Check for an operation whose calls are told how many image rows to make."""
    several = walk.rows_per_step > 1 and len(walk.loop.ops) > 1
    return several and isinstance(op, (*WINDOWED, Linear))


def rings_of(walk: LoopWalk, op: Op) -> list[int]:
    """Return the rings in which a call needs its rows one behind the other; windows wrap around."""
    if isinstance(op, WINDOWED):
        return []
    names = [op.name, *(source for _, source in walk.inside(op))]
    return list(dict.fromkeys(walk.rings[name] for name in names if name in walk.rings))


def _last_loops(net: Net, walks: list[LoopWalk]) -> dict[str, int]:
    """Return the last loop that reads each kept storage; outputs are read after the end."""
    last = {name: index for index, walk in enumerate(walks) for name in walk.loop.kept}
    for index, walk in enumerate(walks):
        for name in walk.loop.reads:
            last[name] = max(last[name], index)
    for value in net.graph.outputs:
        if net.storage[value.name].name in last:
            last[net.storage[value.name].name] = len(walks)
    return last


def _kept_buffers(
    net: Net, walks: list[LoopWalk], same: Mapping[str, str], last: Mapping[str, int]
) -> list[Buffer]:
    buffers: dict[str, Buffer] = {}
    for index, walk in enumerate(walks):
        for name in walk.loop.kept:
            root = _root(name, same)
            if root == name:
                buffers[name] = Buffer(name, net.storage[name].bytes, index, last[name])
            else:
                buffers[root] = replace(buffers[root], last=max(buffers[root].last, last[name]))
    return list(buffers.values())


def _root(name: str, same: Mapping[str, str]) -> str:
    while name in same:
        name = same[name]
    return name


def loop_buffers(index: int, walk: LoopWalk, scratch: int, shared: Mapping[str, str]) -> list[Buffer]:  # fmt: skip
    rings = [
        Buffer(ring_name(index, name), size, index, index)
        for name, size in walk.ring_bytes.items()
        if ring_name(index, name) not in shared
    ]
    return [*rings, *([Buffer(scratch_name(index), scratch, index, index)] if scratch else [])]


def _least_scratch(walk: LoopWalk, cards: Cards) -> int:
    key = walk.loop, walk.tile, walk.strip
    if key not in walk.net.scratch:
        walk.net.scratch[key] = max(_least(walk, cards, op).scratch(op) for op in walk.loop.ops)
    return walk.net.scratch[key]


def _widened(
    cards: Cards,
    walks: Sequence[LoopWalk],
    buffers: list[Buffer],
    size: int,
    guard: int,
    seam: int,
) -> tuple[Cards, list[Buffer]]:
    """Return wider cards for the loops where the arena has room for their scratch."""
    chosen = dict(cards)
    for index, walk in enumerate(walks):
        wide = {op.name: widest_card(walk, cards, op) for op in walk.loop.ops}
        scratch = max(wide[op.name].scratch(op) for op in walk.loop.ops)
        own = scratch_name(index)
        roomy = enlarged(buffers, own, scratch, size, guard, seam) if scratch else None
        if roomy is not None:
            chosen.update(wide)
            buffers = roomy
        else:
            chosen.update({op.name: _least(walk, cards, op) for op in walk.loop.ops})
    return chosen, buffers


def _least(walk: LoopWalk, cards: Cards, op: Op) -> Card:
    """Return the card with the least scratch that leaves no row of a call alone."""
    return widest_card(walk, cards, op) if _rows_together(walk, op) == 3 else cards[op.name]


def widest_card(walk: LoopWalk, cards: Cards, op: Op) -> Card:
    wider = cards[op.name].wider
    return wider if wider and _rows_together(walk, op) > 2 else cards[op.name]


def _rows_together(walk: LoopWalk, op: Op) -> int:
    """Return the rows, or pixels of a row, that a call has."""
    if isinstance(op, WINDOWED):
        return op.output.shape[1]
    return tile_of(walk, op).rows or walk.unit(op.name) * walk.rows_per_step


def _shared_rings(cards: Cards, walks: Sequence[LoopWalk]) -> dict[str, str]:
    """Return the rings of values made in place, with the ring of what each is made from."""
    return {
        ring_name(index, name): ring_name(index, source)
        for index, walk in enumerate(walks)
        for name, source in made_over(walk, cards).items()
    }


def _work(walk: LoopWalk, cards: Cards) -> int:
    """Return the work in products, with an allowance for each value: a clamp, a table, a store."""
    work = walk.net.work
    key = walk.loop, walk.tile
    if key not in work:
        work[key] = sum(
            op.macs() * _padded(walk, cards[op.name], op) + walk.net.value_products * op.output.size
            for op in walk.loop.ops
        )
    return round(work[key])


def call_overhead(plan: Schedule) -> float:
    """Return what windows cost beyond their products where a call makes few positions: a kernel
    unpacks its taps and the image rows under them in each call.
    """
    return sum(
        _UNPACKING * op.macs() / (walk.rows_per_step * op.output.shape[1])
        for walk in plan.walks
        if len(walk.loop.ops) > 1
        for op in walk.loop.ops
        if isinstance(op, Depthwise)
    )


def _padded(walk: LoopWalk, card: Card, op: Op) -> float:
    """Return the overhead of calling a kernel with fewer rows than it computes together."""
    rows = 0 if walk.loop.by_image else min(walk.tile, op.output.rows)
    return rows_cost(card.row_costs, rows) / rows if rows else 1


def _pace(walk: LoopWalk) -> str:
    if not walk.loop.by_image:
        return f"{walk.tile} rows at a time"
    several = walk.rows_per_step > 1 and len(walk.loop.ops) > 1
    return f"by {walk.rows_per_step} image rows" if several else "by image rows"


def bytes_alive(plan: Schedule, loop: int) -> int:
    """Return the bytes of the arena that are in use while a loop runs."""
    return sum(buffer.size for buffer in plan.buffers if buffer.first <= loop <= buffer.last)


def plan_text(plan: Schedule) -> str:
    """Return the plan as text, for people and golden files."""
    lines = [f"plan {plan.net.graph.name}: arena {plan.size} bytes"]
    for index, walk in enumerate(plan.walks):
        how = f"{_pace(walk)}, {bytes_alive(plan, index):,} bytes alive"
        lines.append(f"  loop {index}, {how}: keeps {', '.join(walk.loop.kept)}")
        for op in walk.loop.ops:
            ring = f"  ring {walk.rings[op.name]}" if op.name in walk.rings else ""
            over = f"  over {plan.same_bytes[op.name]}" if op.name in plan.same_bytes else ""
            lines.append(f"    {op.kind} {op.name}{ring}{over}")
    return "\n".join(lines) + "\n"
