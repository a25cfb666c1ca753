"""Values that the residual stream is made of, and what is added to it: where 16 bits are worth most.

    x = x + f(x)                        a sum that reads a sum
    x = depthwise(x); x = x + f(x)      `x + depthwise(x)`, collapsed: the skip path goes through it
    x = cat([x, registers]) + f(x)      tokens beside those that the sums add to
    h = 0.9 * h + f(x)                  a state of calls, as the next call has it

A rounding of the stream stays in it to the end; one of a branch is added once. A linear, a convolution or a join whose
result is added has 16 bits too, unless windows are put together before that: the copy of an image would have 16 bits
besides. All that multiplies matrices reads a copy in 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.program import Program, shape
from edgevit.quantize.op_traits import PROJECTIONS, is_constant, is_move, is_real, sources

_SUMS = frozenset({"add", "sub"})
_SCALES = frozenset({"mul", "div"})  # by a number
_IMAGE_AXES = 4
_ROUNDED = frozenset({"max_pool1d", "max_pool2d", "upsample_nearest2d"})  # moves of 8 bits only


def residual_stream(program: Program) -> frozenset[Node]:
    """Find the values that `--residual int16` keeps in 16 bits."""
    stream: set[Node] = set()
    for node in program.calls():
        if _is_addition(node, program):
            above = [path for read in _read(node, program) for path in _paths(read, program)]
            stream.update(*above)
            stream.update([node] if above else [])
    return _with_terms({*stream, *_state_sums(program)}, program)


def state_stream(program: Program) -> frozenset[Node]:
    """Find the values that states of calls add up in: 16 bits always, as 8 stand still where little is added a call."""
    return _with_terms(set(_state_sums(program)), program)


def _with_terms(stream: set[Node], program: Program) -> frozenset[Node]:
    """Add what the stream reads and may be stored in 16 bits."""
    pending = list(stream)
    while pending:
        node = pending.pop()
        read = [] if _is_projection(node) else sources(node, program)
        terms = {before_moves(one, program) for one in read if not _is_of_windows(one, program)}
        new = set(filter(_is_stored, terms)) - stream
        pending += new
        stream |= new
    return frozenset(stream)


def _state_sums(program: Program) -> Iterator[Node]:
    """Yield the sums that a state is the next time, and all sums of it on the way there."""
    for place, output in program.states:
        state, after = (
            program.placeholders()[place],
            before_moves(program.outputs()[output], program),
        )
        yield from (_sums_to(state, after, program) or ()) if _is_sum(after, program) else ()


def _sums_to(state: Node, node: Node, program: Program) -> list[Node] | None:
    """Return the sums between a state and a value that adds to it, through moves and factors; None where none lead there."""
    if node is state:
        return []
    if kind(node) in _SCALES and len(_read(node, program)) == 1:
        return _sums_to(state, _read(node, program)[0], program)
    if not _is_sum(node, program):
        return None
    paths = [
        path
        for read in _read(node, program)
        if (path := _sums_to(state, read, program)) is not None
    ]
    return [node, *(one for path in paths for one in path)] if paths else None


def stream_sums(program: Program) -> frozenset[Node]:
    """Return the stream without the projections that are added to it once."""
    return frozenset(node for node in residual_stream(program) if not _is_projection(node))


def _is_stored(node: Node) -> bool:
    """Check for a value that may have 16 bits where the stream reads it, alone or beside others."""
    return kind(node) == "cat" or _is_projection(node)


def _is_projection(node: Node) -> bool:
    return kind(node) in PROJECTIONS and not is_depthwise(node)


def _paths(node: Node, program: Program) -> Iterator[list[Node]]:
    """Yield what lies between a reader and each addition above it, the addition included."""
    if _is_addition(node, program):
        yield [node]
    elif kind(node) == "cat":
        for read in _read(node, program):
            for path in _paths(read, program):
                yield [node, *path]


def _is_addition(node: Node, program: Program) -> bool:
    return _is_sum(node, program) or _is_skip(node, program)


def _is_sum(node: Node, program: Program) -> bool:
    """Check for a sum of two tensors."""
    tensors = [read for read in node.all_input_nodes if is_constant(read, program) or is_real(read)]
    return kind(node) in _SUMS and len(tensors) == 2


def _is_skip(node: Node, program: Program) -> bool:
    """Check for a depthwise convolution that a sum reads past a branch."""
    if not is_depthwise(node) or len(node.users) < 2:
        return False
    return any(_is_sum(user, program) for user in _readers(node))


def is_depthwise(node: Node) -> bool:
    """Check for a depthwise convolution that keeps the size of its image."""
    if kind(node) not in {"conv1d", "conv2d"}:
        return False
    (read, *_) = node.args
    channels = shape(node)[1]
    return isinstance(read, Node) and argument(node, "groups") == channels > 1 and shape(read) == shape(node)  # fmt: skip


def _readers(node: Node) -> Iterator[Node]:
    """Yield the calls that read a value, through moves."""
    for user in node.users:
        if is_move(user) and kind(user) not in _ROUNDED:
            yield from _readers(user)
        else:
            yield user


def _read(node: Node, program: Program) -> list[Node]:
    """List the values that a call reads, before moves."""
    return [before_moves(read, program) for read in sources(node, program)]


def _is_of_windows(node: Node, program: Program) -> bool:
    """Check for an image that a permutation of more axes than an image has makes of windows, for the sum alone.

    Where others read it too, the stream begins here, and keeps its roundings to the end.
    """
    while is_move(node) and kind(node) not in _ROUNDED and len(node.users) == 1:
        if kind(node) == "permute" and len(shape(node)) > _IMAGE_AXES:
            return True
        node = sources(node, program)[0]
    return False


def before_moves(node: Node, program: Program) -> Node:
    while is_move(node) or kind(node) == "gather":
        if kind(node) in _ROUNDED:
            return node
        node = sources(node, program)[0]
    return node
