"""Memory that a network needs on a board, its largest parts, and changes that make it fit.

Each change is tried, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgevit.backends.api import Lowering
from edgevit.backends.mcu.board.layout import (
    holds,
    layout,
    room,
    seams,
    spare_bytes,
    static_bytes,
    weights_region,
)
from edgevit.backends.mcu.cores import core_of
from edgevit.backends.mcu.options import OPTIONS
from edgevit.backends.mcu.residual import judged_integers
from edgevit.backends.mcu.schedule.plan import Schedule, ring_name
from edgevit.backends.mcu.schedule.search import best_plan, with_seam
from edgevit.backends.mcu.sparsity import bytes_saved, constant_bytes
from edgevit.errors import EdgevitError, MemoryLimitError
from edgevit.integer import IntegerGraph, rewritten
from edgevit.targets import Target

_SMALLEST = 32  # pixels
_SHARES = (3 / 4, 1 / 2, 3 / 8, 1 / 4)  # of the resolution, tried in turn
_SHOWN = 5
_LAST_WAYS = {
    "RAM": "a smaller model, or a target with more RAM",
    "flash": "a smaller model, a target with more flash, or --weights-as binary@ADDRESS of a memory that edgevit does not know of",
}


@dataclass(frozen=True)
class Need:
    """Memory of a network, in bytes, and the work of its plan.

    `work` counts products, those computed again included, and a share for every value made: it goes
    with the instructions. `peak` lists what is in the arena when it is fullest; `heavy` lists
    operations by their constants.
    """

    arena: int
    seam: int  # of the plan
    static: int
    constants: int
    macs: int
    work: int
    peak: tuple[tuple[str, int], ...]
    peak_at: str
    heavy: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Shortfall:
    what: str  # "RAM" or "flash"
    needed: int
    there: int
    where: str


@dataclass(frozen=True)
class Attempt:
    flags: str  # of the command line
    result: str
    fits: bool


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory estimate for `inspect`: planned, not built."""

    target: Target
    need: Need
    shortfall: Shortfall | None
    tried: tuple[Attempt, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "target": self.target.name,
            "arena_bytes": self.need.arena,
            "constant_bytes": self.need.constants,
            "macs": self.need.macs,
            "work": self.need.work,
            "peak": {"at": self.need.peak_at, "values": dict(self.need.peak)},
            "largest_constants": dict(self.need.heavy),
            "fits": self.shortfall is None,
            "shortfall": vars(self.shortfall) if self.shortfall else None,
            "tried": [vars(tried) for tried in self.tried],
        }

    def __str__(self) -> str:
        need, short = self.need, self.shortfall
        rows = [
            f"on {self.target.title}",
            f"  RAM    {need.arena:,} bytes of arena; the stack and a few variables come on top",
            f"         most at {need.peak_at}: {_listed(need.peak)}",
            f"  flash  {need.constants:,} bytes of weights and tables, the code on top",
            f"         most in {_listed(need.heavy)}",
            f"  work   {need.macs:,} multiply-accumulates",
        ]
        if short is None:
            return "\n".join([*rows, "  it fits"])
        over = f"{short.needed - short.there:,} bytes over {short.there:,} ({short.where})"
        return "\n".join(
            [*rows, f"  it does not fit: {short.what} is {over}", *map(_row, self.tried)]
        )


def planned_for(request: Lowering, graph: IntegerGraph) -> Schedule:
    """Return the best plan that fits, if one does, and across two regions where neither holds its arena."""
    how, target, static = OPTIONS.of(request.options), request.target, _static(graph)
    limits = [how.max_ram, room(target, static) if target.regions else target.ram_bytes]
    most = min((limit for limit in limits if limit), default=None)
    plan = best_plan(graph, core_of(target), how.optimize, most, how.tile, spare_bytes(target))
    if not target.regions or holds(target, plan.size, static):
        return plan
    across = (with_seam(plan, seam) for seam in seams(target))
    return next((other for other in across if holds(target, other.size, static, other.seam)), plan)


def _static(graph: IntegerGraph) -> int:
    return static_bytes(sum(value.bytes for value in graph.outputs), len(graph.ops))


def require_fit(request: Lowering, graph: IntegerGraph, plan: Schedule) -> None:
    """Raise `MemoryLimitError` if the network is too large, with the changes that were tried and fit."""
    need = need_of(graph, plan)
    short = _shortfall(need, request)
    if short is None:
        return
    tried = tuple(_tried(request, graph, short))
    fit = [attempt.flags for attempt in tried if attempt.fits]
    rest = [f"{attempt.flags}: {attempt.result}" for attempt in tried if not attempt.fits]
    over = short.needed - short.there
    most = f"most at {need.peak_at}: {_listed(need.peak)}" if short.what == "RAM" else f"most in {_listed(need.heavy)}"  # fmt: skip
    raise MemoryLimitError(
        f"the network needs {short.needed:,} bytes of {short.what}, {over:,} more than the {short.there:,} there are",
        where=f"{request.target.title}, {short.where}",
        why="\n".join([most, *(f"tried {line}" for line in rest)]),
        hint=f"tried, and fits: {'; '.join(fit)}" if fit else _LAST_WAYS[short.what],
    )


def estimate(request: Lowering) -> MemoryEstimate:
    graph = rewritten(judged_integers(request).quantized.graph)
    need = need_of(graph, planned_for(request, graph))
    short = _shortfall(need, request)
    tried = tuple(_tried(request, graph, short)) if short else ()
    return MemoryEstimate(request.target, need, short, tried)


def need_of(graph: IntegerGraph, plan: Schedule) -> Need:
    alive = [
        [buffer for buffer in plan.buffers if buffer.first <= loop <= buffer.last]
        for loop in range(len(plan.walks))
    ]
    full = max(range(len(alive)), key=lambda loop: sum(b.size for b in alive[loop]), default=0)
    peak = sorted(((b.name, b.size) for b in alive[full]), key=lambda entry: -entry[1]) if alive else []  # fmt: skip
    heavy = sorted(
        ((op.name, constant_bytes(op, plan.cards)) for op in graph.ops),
        key=lambda entry: -entry[1],
    )
    ops = plan.walks[full].loop.ops if plan.walks else ()
    place = next((op.origin.place for op in reversed(ops) if op.origin.place), "")
    at = ", ".join(plan.walks[full].loop.kept) if plan.walks else "nothing"
    strip = ring_name(full, "")
    named = {_root(plan, name): name for walk in plan.walks[: full + 1] for name in walk.loop.kept}
    return Need(
        plan.size,
        plan.seam,
        _static(graph),
        graph.constant_bytes() - bytes_saved(graph, plan.cards),
        graph.macs(),
        plan.computed,
        tuple((named.get(name, name.removeprefix(strip)), size) for name, size in peak[:_SHOWN]),
        f"{at} ({place})" if place else at,
        tuple(heavy[:_SHOWN]),
    )


def _root(plan: Schedule, name: str) -> str:
    """Return the buffer that a value lies in, following those that take over another's place."""
    while name in plan.same_bytes:
        name = plan.same_bytes[name]
    return name


def _shortfall(need: Need, request: Lowering) -> Shortfall | None:
    target, how = request.target, OPTIONS.of(request.options)
    limit = how.max_ram
    if limit is not None and need.arena > limit:
        return Shortfall("RAM", need.arena, limit, "--max-ram")
    if not target.regions:
        there = target.ram_bytes
        return Shortfall("RAM", need.arena, there, "all of it") if there and need.arena > there else None  # fmt: skip
    try:
        placed = layout(target, need.arena, need.constants, need.static, need.seam)
    except MemoryLimitError:
        most = room(target, need.static)
        where = "with the stack, in one region or two adjacent ones"
        if most >= need.arena:
            where = "with the stack, in one region: across two a buffer would lie"
            most = room(target, need.static, across=False)
        return Shortfall("RAM", need.arena, most, where)
    far = weights_region(target)
    home = far if how.weights_as.startswith("binary") and far else placed.weights
    if need.constants > home.size:
        return Shortfall("flash", need.constants, home.size, home.name)
    return None


def _tried(request: Lowering, graph: IntegerGraph, short: Shortfall) -> Iterator[Attempt]:
    how = OPTIONS.of(request.options)
    if short.what == "flash":
        far = weights_region(request.target)
        if far is not None and how.weights_as == "c":
            yield _attempt(
                "--weights-as binary", _with(request, weights_as="binary"), lambda _: graph
            )
        return
    if how.optimize != "ram":
        yield _attempt("--optimize ram", _with(request, optimize="ram"), lambda _: graph)
    smallest = _with(request, optimize="ram", tile=1)
    yield _attempt("--optimize ram --choose tile=1", smallest, lambda _: graph)
    if how.residual == "int16":
        yield _attempt("--residual int8", _with(request, residual="int8"), _graph)
    yield from _smaller_images(request)


def _smaller_images(request: Lowering) -> Iterator[Attempt]:
    """Try smaller images until one fits."""
    shape = request.program.inputs[0].shape
    if request.at_size is None or len(shape) != 4:
        return
    side = shape[1 if request.channels_last else 2]
    step = 32 if side % 32 == 0 else 16
    for share in _SHARES:
        size = int(side * share) // step * step
        if size < _SMALLEST:
            return
        attempt = _attempt_at(request, size)
        yield attempt
        if attempt.fits:
            return


def _attempt_at(request: Lowering, size: int) -> Attempt:
    flags = f"--input-size {size}"
    assert request.at_size is not None
    request.progress(f"try {flags}")
    try:
        smaller = request.at_size(size)
    except EdgevitError as error:
        return Attempt(flags, f"the model cannot be built so: {error.message}", False)
    return _attempt(flags, smaller, _graph)


def _attempt(
    flags: str, request: Lowering, graph_of: Callable[[Lowering], IntegerGraph]
) -> Attempt:
    request.progress(f"try {flags}")
    try:
        graph = graph_of(request)
        need = need_of(graph, planned_for(request, graph))
    except EdgevitError as error:
        return Attempt(flags, error.message, False)
    short = _shortfall(need, request)
    result = f"RAM {need.arena:,}, weights {need.constants:,}"
    return Attempt(flags, result if short is None else f"{result}: {short.needed - short.there:,} too many", short is None)  # fmt: skip


def _graph(request: Lowering) -> IntegerGraph:
    return rewritten(judged_integers(request).quantized.graph)


def _with(request: Lowering, **options: Any) -> Lowering:
    return replace(request, options=replace(OPTIONS.of(request.options), **options))


def _row(tried: Attempt) -> str:
    return f"    {tried.flags}: {'fits, ' if tried.fits else ''}{tried.result}"


def _listed(entries: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in entries)
