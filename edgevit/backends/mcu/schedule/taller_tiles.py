"""More rows at a time in the loops where the arena has room.

A plan goes by one tile, which the loop at the arena's peak decides. Elsewhere more rows at a time
are fewer calls, and each call sets up its weights.
"""

from __future__ import annotations

from dataclasses import replace

from edgevit.backends.mcu.kernels.card import rows_cost
from edgevit.backends.mcu.schedule.memory import placed_anew
from edgevit.backends.mcu.schedule.plan import (
    Cards,
    Schedule,
    loop_buffers,
    scratch_name,
    widest_card,
)
from edgevit.backends.mcu.schedule.walk import LoopWalk

_CALL = 400  # products: a call of a kernel, and what it sets up for its columns


def with_taller_tiles(plan: Schedule) -> Schedule:
    """Return the plan with more rows at a time in the loops where the arena has room.

    They are fewer calls. Only tiles that end with the rows: the calls of a last one that is short
    are code of their own.
    """
    for index, walk in enumerate(plan.walks):
        if not walk.loop.by_image and len(walk.loop.ops) > 1:
            plan = _with_taller_tile(plan, index)
    return plan


def _with_taller_tile(plan: Schedule, index: int) -> Schedule:
    walk = plan.walks[index]
    ops, shared = walk.loop.ops, plan.same_bytes
    rows = ops[-1].output.rows
    if any(op.single_pass for op in ops):
        return plan
    taller = [replace(walk, tile=n) for n in range(walk.tile + 1, rows + 1) if rows % n == 0]
    least = _lockstep_work(walk, plan.cards)
    works = [(_lockstep_work(other, plan.cards), other) for other in taller]
    for work, other in sorted(works, key=lambda one: one[0]):
        if work >= least:
            break
        cards = dict(plan.cards) | {op.name: widest_card(other, plan.offered, op) for op in ops}
        scratch = max(cards[op.name].scratch(op) for op in ops)
        own = loop_buffers(index, other, scratch, shared)
        names = {buffer.name for buffer in own} | {scratch_name(index)}
        buffers = placed_anew(plan.buffers, names, own, plan.size, plan.seam)
        if buffers is not None:
            walks = (*plan.walks[:index], other, *plan.walks[index + 1 :])
            return replace(plan, walks=walks, cards=cards, buffers=tuple(buffers))
    return plan


def _lockstep_work(walk: LoopWalk, cards: Cards) -> float:
    """Return the work of a loop in products, its last tile and its calls included."""
    rows = walk.loop.ops[-1].output.rows
    full, rest = divmod(rows, walk.tile)
    work = _CALL * len(walk.loop.ops) * (full + bool(rest))
    for op in walk.loop.ops:
        costs = cards[op.name].row_costs
        tiles = full * rows_cost(costs, walk.tile) + rows_cost(costs, rest)
        work += op.macs() * tiles / rows
    return work
