"""Pieces of C that every call of a model is made of: where rows go, the call of a loop, the checks before the end."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.mcu.schedule.image_source import ArrivingRows
from edgevit.backends.mcu.schedule.plan import Schedule, ring_name
from edgevit.backends.mcu.schedule.walk import unit_bytes

RECEIVING = 0x65766974  # the state of a model that has begun; stray memory hardly holds it


@dataclass(frozen=True)
class RowDestination:
    """Destination of the image's rows, and the loop that computes on them as they arrive."""

    loop: int
    counters: int  # operations whose rows are counted, or none
    steps: int
    place: str  # of a byte, from `at`, the bytes received
    unit: int  # bytes of a row as the loop reads it


def row_destination(plan: Schedule) -> RowDestination | None:
    """Return where pushed rows go; None if inputs are passed whole.

    Inputs are passed whole if there are several, or if the plan receives no image.
    """
    for index, walk in enumerate(plan.walks):
        for op in walk.loop.ops:
            if not isinstance(op, ArrivingRows):
                continue
            unit = min(unit_bytes(walk, op), op.output.bytes)
            ring = walk.rings.get(op.name)
            if ring is None:
                place = f"{plan.offsets[op.name]}u + at"
            else:
                place = f"{plan.offsets[ring_name(index, op.name)]}u + at % {ring * unit}u"
            return RowDestination(index, len(walk.loop.ops), walk.steps, place, unit)
    return None


def loop_call(prefix: str, loop: int) -> str:
    return f"    EV_FETCH({loop});\n    EV_POISON({loop});\n    {prefix}_loop_{loop}(inputs, arena);\n    EV_INTACT({loop});\n"


def ready_check(plan: Schedule, prefix: str) -> str:
    """Return the lines that begin the end of an image: it has begun, and all its rows are there."""
    (image,) = plan.net.graph.passed_inputs
    return f"""    if (model->state != {RECEIVING:#x}u)
        return EV_ERROR_ORDER;
    if (model->received != {image.bytes}u)
        return EV_ERROR_ROWS;
    const void *const *inputs = NULL;
    uint8_t *const arena = model->arena;
    model->state = 0;
    (void)inputs;
"""
