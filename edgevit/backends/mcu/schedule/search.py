"""Choice of the kept values, by the arena and the work of the plans themselves.

Steps are taken one at a time, each to the plan with the best price: a kept value is streamed, or a
streamed one kept, here and wherever the graph looks the same. The price is the arena's size times a
power of the work; `ram` hardly counts the work, `speed` hardly the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, log

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.image_source import prepared
from edgevit.backends.mcu.schedule.loops import Net, NoLoopError
from edgevit.backends.mcu.schedule.plan import (
    Cards,
    PlanFigures,
    Schedule,
    call_overhead,
    make_plan,
    plan_figures,
)
from edgevit.backends.mcu.schedule.taller_tiles import with_taller_tiles
from edgevit.errors import UsageError, suggest
from edgevit.integer import IntegerGraph, Op

# What a tenth less work may cost in size: the exponent of the work in the price.
OPTIMIZE = {"ram": 0.05, "balanced": 1.0, "speed": 12.0}
TILES = (4, 2, 1, 3, 8, 12, 16)  # rows at a time; the first is where the search begins
STRIPS = (8, 16, 24, 32, 48, 64)  # positions of a narrow image in a step
_CROWD = (
    1e-3  # of the price, for the loops at the peak: each must be made smaller before the arena is
)
_LAST = 4  # plans on the way that are placed and looked at: the way is long
_NEIGHBOURS = (
    1,
    3,
)  # operations around a value that make two places look the same: blocks, and the first of them


@dataclass(frozen=True)
class KeptSet:
    kept: frozenset[str]
    tile: int


Price = Callable[[Schedule | PlanFigures], float]


def best_plan(
    graph: IntegerGraph,
    core: Core,
    optimize: str = "balanced",
    max_ram: int | None = None,
    tile: int | None = None,
    spare: int = 0,
) -> Schedule:
    """Return the plan with the best price.

    With `max_ram` it is the best of those found that fit, or the smallest if none fits. With
    `tile`, loops take that many rows at a time or more, and the search is over the rest. Within
    `spare` bytes, `balanced` keeps what `speed` keeps.
    """
    if optimize not in OPTIMIZE:
        raise UsageError(
            f"there is no way to optimize called `{optimize}`", hint=suggest(optimize, OPTIMIZE)
        )
    space = _Space.of(graph, core, TILES if tile is None else (tile,))
    best = _best(space.candidates(optimize), _price(optimize), max_ram)
    if max_ram is not None and best.size > max_ram and optimize != "ram":
        best = _best([best, *space.candidates("ram")], _price(optimize), max_ram)
    if optimize == "balanced" and best.size < spare:
        within = spare if max_ram is None else min(spare, max_ram)
        best = _best([best, *space.candidates("speed")], _price("speed"), within)
    wider = [best, *(_in_strips(best, strip) for strip in STRIPS)]
    return with_taller_tiles(_best(wider, _price_with_calls(optimize), max_ram))


@dataclass(frozen=True)
class _Space:
    """Plans to search, and the smallest of them with those passed on the way to it."""

    net: Net
    cards: Cards
    must: frozenset[str]
    classes: tuple[frozenset[str], ...]
    tiles: Sequence[int]
    smallest: list[Schedule]
    bits: dict[str, int]  # of each value, in what stands for a set of them
    # Of all descents, by what is kept and the tile; None where no plan is.
    figures: dict[tuple[int, int], PlanFigures | None]

    @classmethod
    def of(cls, graph: IntegerGraph, core: Core, tiles: Sequence[int]) -> _Space:
        net, cards = prepared(graph, core)
        classes = tuple(dict.fromkeys(c for depth in _NEIGHBOURS for c in _classes(net, depth)))
        must = net.must_keep()
        bits = {name: 1 << index for index, name in enumerate(net.makers)}
        space = cls(net, cards, must, classes, tiles, [], bits, {})
        return replace(space, smallest=_descend(space, _least(net, cards, must), _price("ram")))

    def figures_of(self, choice: KeptSet) -> PlanFigures | None:
        """Return what the plan costs; descents from several starts meet."""
        key = sum(map(self.bits.__getitem__, choice.kept)), choice.tile
        if key not in self.figures:
            try:
                self.figures[key] = plan_figures(self.net, self.cards, choice.kept, choice.tile)
            except NoLoopError:
                self.figures[key] = None
        return self.figures[key]

    def candidates(self, optimize: str) -> list[Schedule]:
        """Return the last plans passed on each descent.

        One descent starts from as little as can be kept and goes to the smallest plan. Two more go
        to the best price, from there and from everything kept.
        """
        plans = list(self.smallest)
        for start in (frozenset(self.net.makers), _kept_in(plans[-1]) if plans else self.must):
            plans += _descend(self, start, _price(optimize))
        return plans


def _best(
    plans: Sequence[Schedule], price: Callable[[Schedule], float], max_ram: int | None
) -> Schedule:
    fitting = [plan for plan in plans if max_ram is None or plan.size <= max_ram]
    return min(fitting, key=price) if fitting else min(plans, key=lambda plan: plan.size)


def _in_strips(plan: Schedule, strip: int) -> Schedule:
    """Return the same plan with several rows of a narrow image to a step."""
    return make_plan(plan.net, plan.offered, _kept_in(plan), plan.tile, strip=strip)


def with_seam(plan: Schedule, seam: int) -> Schedule:
    """Return the same plan with no buffer across an offset of the arena, where another memory begins."""
    kept_values = _kept_in(plan)
    return with_taller_tiles(
        make_plan(plan.net, plan.offered, kept_values, plan.tile, strip=plan.strip, seam=seam)
    )


def planned(
    graph: IntegerGraph,
    core: Core,
    kept_values: frozenset[str],
    tile: int,
    strip: int = 1,
    seam: int = 0,
) -> Schedule:
    """Return the plan that keeps just these values."""
    net, cards = prepared(graph, core)
    return with_taller_tiles(make_plan(net, cards, kept_values, tile, strip=strip, seam=seam))


def _kept_in(plan: Schedule) -> frozenset[str]:
    return frozenset(name for loop in plan.loops for name in loop.kept)


def _price(optimize: str) -> Price:
    exponent = OPTIMIZE[optimize]
    return lambda plan: log(max(plan.size, 1)) + exponent * log(max(plan.computed, 1))


def _price_with_calls(optimize: str) -> Callable[[Schedule], float]:
    exponent = OPTIMIZE[optimize]
    return lambda plan: (
        log(max(plan.size, 1)) + exponent * log(max(plan.computed + call_overhead(plan), 1))
    )


def _least(net: Net, cards: Cards, must: frozenset[str]) -> frozenset[str]:
    """Return the values that must be kept, and as many more as it takes for loops to exist."""
    kept_values = must
    for op in net.makers.values():
        try:
            plan_figures(net, cards, kept_values, TILES[0])
            return kept_values
        except NoLoopError:
            kept_values = kept_values | {op.name}
    return kept_values


def _descend(space: _Space, start: frozenset[str], price: Price) -> list[Schedule]:
    """Descend from `start` to the best price, and return the last plans passed.

    Every step is tried. Then those that helped are taken, the best first, as long as they go on
    helping.
    """
    net, cards = space.net, space.cards
    here = KeptSet(start, space.tiles[0])
    best = _price_of(space, price, here)
    if best == inf:
        return []
    passed = [here]
    while True:
        gains = []
        for count, step in enumerate(_steps(space, here)):
            cost = _price_of(space, price, step(here))
            if cost < best - 1e-9:
                gains.append((cost, count, step))
        if not gains:
            return [make_plan(net, cards, c.kept, c.tile) for c in passed[-_LAST:]]
        for _, _, step in sorted(gains, key=lambda gain: gain[:2]):
            cost = _price_of(space, price, step(here))
            if cost < best - 1e-9:
                here, best = step(here), cost
                passed.append(here)


def _price_of(space: _Space, price: Price, choice: KeptSet) -> float:
    """Return the price of a plan with a share for crowded loops; infinite where no plan is."""
    figures = space.figures_of(choice)
    return inf if figures is None else price(figures) + _CROWD * log(figures.crowd)


Step = Callable[[KeptSet], KeptSet]


def _steps(space: _Space, here: KeptSet) -> Iterator[Step]:
    net, must = space.net, space.must
    for members in space.classes:
        if (here.kept & members) - must:
            yield partial(_streamed, members=members - must)
            leading = _leading_to(net, here.kept, members) - must - members
            if leading:  # two that only pay together: a head's queries, and what it makes of them
                yield partial(_streamed, members=(members | leading) - must)
        if members - here.kept:
            yield partial(_kept, members=members)
    for tile in space.tiles:
        if tile != here.tile:
            yield partial(_tiled, tile=tile)


def _leading_to(net: Net, kept_values: frozenset[str], members: frozenset[str]) -> frozenset[str]:
    """Return the nearest kept values that these are computed from."""
    sources: set[str] = set()
    stack, seen = list(members), set(members)
    while stack:
        for _, source in net.sources(net.makers[stack.pop()]):
            if source in kept_values:
                sources.add(source)
            elif source not in seen:
                seen.add(source)
                stack.append(source)
    return frozenset(sources)


def _streamed(here: KeptSet, members: frozenset[str]) -> KeptSet:
    return KeptSet(here.kept - members, here.tile)


def _kept(here: KeptSet, members: frozenset[str]) -> KeptSet:
    return KeptSet(here.kept | members, here.tile)


def _tiled(here: KeptSet, tile: int) -> KeptSet:
    return KeptSet(here.kept, tile)


def _classes(net: Net, depth: int) -> list[frozenset[str]]:
    """Return classes of values at places that look alike.

    The operations around them are the same for `depth` steps up and down.
    """
    groups: dict[tuple[object, ...], set[str]] = {}
    for name, op in net.makers.items():
        look = (_around(net, op, True, depth), _around(net, op, False, depth), _places(net, name))
        groups.setdefault(look, set()).add(name)
    return [frozenset(group) for group in groups.values()]


def _around(net: Net, op: Op, up: bool, depth: int) -> tuple[object, ...]:
    own = (op.kind, op.output.shape, op.settings())
    if depth == 0:
        return own
    if up:
        near = [net.makers[source] for _, source in net.sources(op)]
    else:
        near = list(net.readers.get(op.name, ()))
    return (*own, tuple(_around(net, other, up, depth - 1) for other in near))


def _places(net: Net, name: str) -> tuple[int, ...]:
    """Return the positions of the value among its readers' inputs.

    Heads that are concatenated differ in nothing else.
    """
    return tuple(
        index
        for op in net.readers.get(name, ())
        for index, source in net.sources(op)
        if source == name
    )
