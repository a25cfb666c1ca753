"""Placement: which calls compute in integers, and which values are stored as integers for them.

conv(x, w) -> relu -> reshape -> linear        both calls in integers; the value between them is
                                               stored once, behind the relu; the reshape moves integers
layer_norm(x) -> linear                        the norm computes in floats; a copy of its result
                                               is quantised for the linear
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind
from edgevit.graph.program import Program, origin, value
from edgevit.quantize.op_traits import PROJECTIONS, bounds, is_constant, is_move, is_real, sources
from edgevit.quantize.residual_stream import stream_sums
from edgevit.quantize.scheme import FLOAT, QuantScheme

_STAYS = "what is rounded in the residual stream stays in it to the end"
_WEIGHTED = PROJECTIONS | {"conv3d", "conv_transpose2d"}


@dataclass(frozen=True)
class Island:
    """A call that computes in floats between calls that compute in integers."""

    call: str
    kind: str
    module: str
    source: str
    why: str
    numbers: int  # in its result: what is converted to floats and back

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class IntegerPlacement:
    """Values that are stored as integers, and the calls that read them."""

    calls: tuple[Node, ...]  # compute in integers
    stored: tuple[Node, ...]  # produced in integers: no float exists
    carried: Mapping[Node, Node]  # moved integers, and the value whose encoding they have
    copied: Mapping[Node, tuple[Node, ...]]  # float values, and the integer calls that read a copy
    islands: tuple[Island, ...]

    def encoded(self) -> list[Node]:
        """List the values that need an encoding of their own."""
        return [*self.stored, *self.copied]


def place(
    program: Program, scheme: QuantScheme, types: Mapping[str, str] | None = None
) -> IntegerPlacement:
    """Decide what computes in integers.

    `types` gives single calls, by name, another type than the scheme's: `float` takes them out.
    """
    types = types or {}
    reasons: dict[Node, str] = _in_floats(program, scheme, types)
    calls = {
        node
        for node in program.calls()
        if kind(node) in scheme.integer and _may(node, program, scheme, reasons)
    }
    if not scheme.rounds_activations:
        ordered = tuple(node for node in program.calls() if node in calls)
        return IntegerPlacement(ordered, (), {}, {}, ())
    hopeful = {
        node
        for node in program.calls()
        if kind(node) in scheme.between and _may(node, program, scheme, reasons)
    }
    calls |= _between(calls, hopeful, program, scheme, reasons)
    floats = _dynamic(calls, scheme) | _unrounded(calls, scheme)
    ends = {node: _end(node, calls, scheme) for node in calls if node not in floats}
    stored = dict.fromkeys(ends[node] for node in program.calls() if node in ends)
    carried = _carried(program, stored, scheme) if scheme.moves else {}
    copied = _copied(program, calls, {*stored, *carried})
    islands = tuple(_islands(program, calls, {*stored, *carried}, scheme, reasons))
    ordered = tuple(node for node in program.calls() if node in calls)
    return IntegerPlacement(ordered, tuple(stored), carried, copied, islands)


def _in_floats(program: Program, scheme: QuantScheme, types: Mapping[str, str]) -> dict[Node, str]:
    """Return why calls that the runtime has in integers are in floats."""
    reasons = dict.fromkeys(stream_sums(program) if scheme.float_stream else (), _STAYS)
    named = (node for node in program.calls() if types.get(node.name) == FLOAT)
    return reasons | dict.fromkeys(named, "its rounding costs too much accuracy")


def _may(node: Node, program: Program, scheme: QuantScheme, reasons: dict[Node, str]) -> bool:
    why = reasons.get(node) or _why_not(node, program) or scheme.why_float(node, program)
    if why:
        reasons[node] = why
    return why is None


def _why_not(node: Node, program: Program) -> str | None:
    if not is_real(node) or not all(map(is_real, operands(node, program))):
        return "it reads or returns other things than real numbers"
    if kind(node) not in _WEIGHTED:
        return None
    for name in ("weight", "bias"):
        tensor = argument(node, name) if has_argument(node, name) else None
        if tensor is not None and not is_constant(tensor, program):
            return f"its {name} is computed"
    return None


def operands(node: Node, program: Program) -> list[Node]:
    """List the values that a call computes with: without its weights."""
    return sources(node, program)


def is_weighted(node: Node) -> bool:
    """Check for a call with a constant weight, which has a scale for each output channel."""
    return kind(node) in _WEIGHTED


def _dynamic(calls: set[Node], scheme: QuantScheme) -> set[Node]:
    return {node for node in calls if kind(node) in scheme.dynamic}


def _unrounded(calls: set[Node], scheme: QuantScheme) -> set[Node]:
    """Return the calls that store floats, since no call in integers reads their result."""
    return {
        node
        for node in calls
        if kind(node) in scheme.unrounded and not _read_as_integers(node, calls, scheme)
    }


def _read_as_integers(node: Node, calls: set[Node], scheme: QuantScheme) -> bool:
    """Check for a reader, through moves, that computes in integers, or clamps them."""
    return any(
        user in calls
        or is_stored_clamp(user, scheme)
        or (is_move(user) and _read_as_integers(user, calls, scheme))
        for user in node.users
    )


def _between(
    calls: set[Node],
    hopeful: set[Node],
    program: Program,
    scheme: QuantScheme,
    reasons: dict[Node, str],
) -> set[Node]:
    """Return the hopeful calls that have integers on all sides, the largest such set."""
    static = calls - _dynamic(calls, scheme)
    while True:
        inside = static | hopeful
        lonely = {
            node
            for node in hopeful
            if not all(
                _is_integer(_before(read), inside, scheme) for read in operands(node, program)
            )
            or not _read_by_integers(node, inside, scheme)
        }
        if not lonely:
            return hopeful
        for node in lonely:
            reasons[node] = "a call next to it computes in floats"
        hopeful = hopeful - lonely


def _is_integer(node: Node, inside: set[Node], scheme: QuantScheme) -> bool:
    if node in inside:
        return True
    return is_stored_clamp(node, scheme) and _is_integer(
        _before(node.all_input_nodes[0]), inside, scheme
    )


def _read_by_integers(node: Node, inside: set[Node], scheme: QuantScheme) -> bool:
    return all(
        user in inside
        or user.op == "output"
        or (
            (is_move(user) or is_stored_clamp(user, scheme))
            and _read_by_integers(user, inside, scheme)
        )
        for user in node.users
    )


def _before(node: Node) -> Node:
    """Return the call whose numbers `node` has moved."""
    while is_move(node):
        node = node.all_input_nodes[0]
    return node


def _end(node: Node, calls: set[Node], scheme: QuantScheme) -> Node:
    """Return the last clamp behind a call that the encoding of its result performs."""
    while len(node.users) == 1:
        (user,) = node.users
        if not is_stored_clamp(user, scheme) or user in calls:
            return node
        node = user
    return node


def is_stored_clamp(node: Node, scheme: QuantScheme) -> bool:
    fused = scheme.clamps is None or kind(node) in scheme.clamps
    return fused and bounds(node) is not None


def _carried(
    program: Program, stored: Mapping[Node, object], scheme: QuantScheme
) -> dict[Node, Node]:
    carried: dict[Node, Node] = {}
    for node in program.calls():
        if not is_move(node) or not is_real(node) or scheme.why_float(node, program):
            continue
        (source,) = sources(node, program)[:1] or [node]
        if source in stored:
            carried[node] = source
        elif source in carried:
            carried[node] = carried[source]
    return carried


def _copied(
    program: Program, calls: set[Node], integers: set[Node]
) -> dict[Node, tuple[Node, ...]]:
    copied: dict[Node, list[Node]] = {}
    for node in program.calls():
        if node in calls:
            for read in dict.fromkeys(operands(node, program)):
                if read not in integers:
                    copied.setdefault(read, []).append(node)
    return {read: tuple(readers) for read, readers in copied.items()}


def _islands(
    program: Program,
    calls: set[Node],
    integers: set[Node],
    scheme: QuantScheme,
    reasons: Mapping[Node, str],
) -> Iterator[Island]:
    """List the calls in floats that compute something: moves and clamps of integers do not."""
    for node in program.calls():
        if node in calls or node in integers or not is_real(node):
            continue
        if is_move(node) or kind(node) == "getitem" or not sources(node, program):
            continue
        if _is_fused_clamp(node, calls, scheme):
            continue
        its = origin(node)
        why = reasons.get(node, "the runtime computes it in floats")
        yield Island(node.name, kind(node), its.module, its.source, why, value(node).numel())


def _is_fused_clamp(node: Node, calls: set[Node], scheme: QuantScheme) -> bool:
    """Check for a clamp inside a chain that ends in an encoding."""
    while is_stored_clamp(node, scheme):
        node = node.all_input_nodes[0]
        if node in calls:
            return True
    return False
