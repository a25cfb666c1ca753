"""Products that take more instructions a multiply-accumulate than a core's kernels do where they run well, and why."""

from __future__ import annotations

from edgevit.backends.mcu.codegen.emit import Layer
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.access import WINDOWED
from edgevit.backends.mcu.schedule.plan import Schedule, tile_of
from edgevit.backends.mcu.schedule.walk import LoopWalk
from edgevit.integer import Op
from edgevit.integer.ops.products import Depthwise

_PRODUCTS = 32  # of a value: with fewer, its clamp, rounding and store are a large share
_TAPS = 9  # the same of a depthwise convolution
_POSITIONS = 64  # of a call of a depthwise convolution, for which it unpacks its taps
_ROWS = 4  # of a call of another product, for which it reads its weights


def slow_because(layer: Layer, instructions: int, core: Core, plan: Schedule) -> str:
    """Return what makes a product slow; empty where it is not, and on cores without a limit."""
    op, macs = layer.op, layer.op.macs()
    depthwise = isinstance(op, Depthwise)
    limit = core.per_mac and core.per_mac * (2 if depthwise else 1)
    if not limit or not macs or instructions <= limit * macs:
        return ""
    reasons = []
    if not any(kernel.endswith(f"_{core.families[0]}") for kernel in layer.kernels):
        reasons.append("portable kernel")
    products = macs / op.output.size
    if products < (_TAPS if depthwise else _PRODUCTS):
        reasons.append(f"{_counted(products, 'product')} a value")
    stride = max(op.window.stride) if depthwise else 1
    if stride > 1:
        reasons.append(f"stride {stride}")
    positions = min(_positions(walk, op) for walk in plan.walks if op in walk.loop.ops)
    if positions < (_POSITIONS if depthwise else _ROWS):
        reasons.append(f"{_counted(positions, 'position')} a call")
    return ", ".join(reasons or [f"{macs:,} products in all"])


def _counted(count: float, noun: str) -> str:
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def _positions(walk: LoopWalk, op: Op) -> int:
    """Return the positions that a call computes at least."""
    rows = tile_of(walk, op).rows or walk.rows_per_step
    if isinstance(op, WINDOWED):
        return rows * op.output.shape[1]
    return rows if tile_of(walk, op).rows else rows * walk.unit(op.name)
