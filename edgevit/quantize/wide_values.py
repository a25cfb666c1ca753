"""Values that are worth 16 bits besides the residual stream, all that read them included.

    linear -> silu -> linear        what either of the first two gives
    conv2d -> relu -> conv2d        both at once: the clamp is the convolution's grid in 8 bits

A value qualifies where what makes it can store 16 bits and a projection, a function or a norm reads it, through moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.cost import macs
from edgevit.graph.program import Inputs, Program, value
from edgevit.quantize.encoding import Grid
from edgevit.quantize.encoding_plan import EncodingPlan
from edgevit.quantize.op_traits import PROJECTIONS, is_move, sources
from edgevit.quantize.residual_stream import before_moves, is_depthwise
from edgevit.quantize.sensitivity import sensitivity

_MAKERS = PROJECTIONS | {"add", "sub"}
_NORMS = frozenset({"layer_norm", "group_norm", "rms_norm"})
_PER_NUMBER = 8  # multiply-accumulates that a stored number costs about as much as


@dataclass(frozen=True)
class WideValue:
    """Calls whose results get 16 bits together, and the products that then read 16."""

    nodes: tuple[Node, ...]
    readers: frozenset[Node]

    def cost(self, read_already: Set[Node]) -> int:
        numbers = sum(value(node).numel() for node in self.nodes)
        return sum(map(macs, self.readers - read_already)) + _PER_NUMBER * numbers


def wide_values(program: Program, plan: EncodingPlan) -> list[WideValue]:
    """List what may get 16 bits beside what the plan gives them already."""
    return [
        WideValue(nodes, readers)
        for node in program.calls()
        if (nodes := _together(node, program, plan))
        and (readers := frozenset(_readers(node, plan)))
        and kind(plan.sink(node)) != "cat"
    ]


def ranked(
    program: Program, plan: EncodingPlan, grids: dict[Node, Grid], runs: Sequence[Inputs]
) -> list[WideValue]:
    """Order by the noise that 16 bits take away, for what they cost besides those before."""
    noise = sensitivity(program, grids, {}, runs).values
    worth = {one: _noise(one.nodes[-1], noise, plan) for one in wide_values(program, plan)}
    rest, order, read = [one for one in worth if worth[one] > 0], list[WideValue](), set[Node]()
    while rest:
        best = max(rest, key=lambda one: worth[one] / one.cost(read))
        rest.remove(best)
        order.append(best)
        read |= best.readers
    return order


def _together(node: Node, program: Program, plan: EncodingPlan) -> tuple[Node, ...]:
    """Return a value with the one that it clamps; nothing where it cannot have 16 bits."""
    if plan.is_fused(node):
        (source,) = sources(node, program)
        return (source, node) if kind(source) in _MAKERS else ()
    if node in plan.regions.root:
        return () if plan.regions.inside(node) else (node,)
    clamped = any(plan.is_fused(user) for user in node.users)
    return (node,) if kind(node) in _MAKERS and not clamped else ()


def _readers(node: Node, plan: EncodingPlan) -> Iterator[Node]:
    """Yield what would read 16 bits then, through moves, and does not now."""
    for user in node.users:
        if is_move(user) and before_moves(user, plan.program) is not user:
            yield from _readers(user, plan)
        elif not _reads_wide(user, node, plan) and (
            kind(user) in PROJECTIONS | _NORMS or user in plan.regions.root
        ):
            yield user


def _reads_wide(reader: Node, node: Node, plan: EncodingPlan) -> bool:
    """Check for what reads the stream's own 16 bits."""
    if not plan.is_wide(before_moves(node, plan.program)):
        return False
    return kind(reader) in _NORMS or (is_depthwise(reader) and plan.is_wide(reader))


def _noise(node: Node, noise: Mapping[str, float], plan: EncodingPlan) -> float:
    """Sum up the noise of a value, or of its copies in 8 bits behind moves."""
    if not plan.is_wide(node):
        return noise.get(plan.sink(node).name, 0.0)
    moved = [user for user in node.users if is_move(user)]
    own = noise.get(node.name, 0.0) if len(moved) < len(node.users) else 0.0
    return own + sum(_noise(user, noise, plan) for user in moved)
