"""Calls on values of more than five axes, as the same calls on fewer.

    x [2, 3, 4, 5, 6, 7] + y [4, 1, 1, 7]      ->   reshape(reshape(x, 6, 4, 30, 7) + reshape(y, 4, 1, 7))
    mean(x [2, 3, 4, 5, 6, 7], (3, 5))         ->   reshape(mean(reshape(x, 24, 5, 6, 7), (1, 3)))
    permute(x [2, 3, 4, 5, 6, 7], ...)         ->   permutes of four axes each, two of which change places
    x [2, 3, 4, 5, 6, 7] @ y                   ->   reshape(reshape(x, 2 * 3 * 4 * 5, 6, 7) @ ...)
    x [24, 16, 16] at places of six axes       ->   reshape(x [24 * 16 * 16] at sums of the places)

Axes of one element go, neighbours that the call does not tell apart are one, and the reshapes around it meet those of its neighbours
(`merge-reshapes`), so that no value of so many axes is left. The same values.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import (
    argument,
    has_argument,
    has_tag,
    integer,
    kind,
    op,
    operand,
    overload,
    parameter_names,
)
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import has_tensor, shape, value
from edgevit.graph.tensors import broadcast
from edgevit.rewrites.layout.lower_rank.look_ups import (
    looked_up,
    looks_up_everywhere,
    most_axes,
    require_from_start,
)
from edgevit.rewrites.layout.lower_rank.merge import Groups, alike, around, merged, runs_of, steps
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.rule import SAME_VALUES, Match, Refused, Rule

aten = torch.ops.aten
MOST = 5
_PERMUTES = frozenset({"permute", "transpose", "movedim", "swapaxes", "mT"})
_POINTWISE = frozenset({"_to_copy", "clone", "hardswish", "log_sigmoid", "to", "where", "masked_fill", "contiguous"})  # fmt: skip
_ALONG = frozenset({"softmax", "log_softmax", "_softmax", "_log_softmax", "sum", "mean", "amax", "amin", "argmax", "argmin", "cumsum", "linalg_vector_norm", "norm",
                    "slice", "cat", "flip", "index_select", "any", "all", "var", "std", "prod", "select"})  # fmt: skip
_PRODUCTS = frozenset({"matmul", "linear"})
_NORMS = frozenset({"layer_norm", "rms_norm"})


def is_of_many_axes(node: Node, most: int = MOST) -> bool:
    """Check for a call on values of too many axes that computes; a reshape does not."""
    if node.op != "call_function" or kind(node) in RESHAPES or kind(node) == "getitem":
        return False
    return any(_rank(other) > most for other in (node, *node.all_input_nodes))


def _rank(node: Node) -> int:
    return value(node).ndim if has_tensor(node) else 0


class LowerRank(Rule[Match]):
    name: ClassVar[str] = "lower-rank"
    rtol: ClassVar[float] = SAME_VALUES

    def __init__(self, beyond: int = MOST) -> None:
        """Create the rule for values of more axes than these; its own calls have at most five."""
        self.beyond = beyond

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if is_of_many_axes(node, self.beyond) else None

    def check(self, match: Match, draft: Draft) -> None:
        if _form(match.node) is None:
            raise Refused(f"`{op(match.node)}` has no form with fewer axes")
        _require_few(_groups(match.node))
        if kind(match.node) == "index":
            require_from_start(match.node, draft)

    def rewrite(self, match: Match, edit: Edit) -> Node:
        form = _form(match.node)
        assert form is not None
        return edit.reshaped(form(match.node, edit), shape(match.node))


Lowering = Callable[[Node, Edit], Node]


def _form(node: Node) -> Lowering | None:
    name = kind(node)
    if name in _PERMUTES:
        return _permuted
    if name in _ALONG:
        return _along
    if name in _PRODUCTS:
        return _multiplied if min(map(_rank, node.all_input_nodes[:2])) > 1 else None
    if name in _NORMS:
        return _normed
    if name == "expand":
        return _expanded
    if name == "stack":
        return _stacked
    if name == "index":
        return looked_up if looks_up_everywhere(node) else None
    return _each if _is_pointwise(node) else None


def _is_pointwise(node: Node) -> bool:
    return overload(node) is not None and (
        kind(node) in _POINTWISE or has_tag(node, torch.Tag.pointwise)
    )


def _require_few(groups: Groups) -> None:
    if len(groups) > MOST:
        raise Refused(f"it has {len(groups)} axes even after those that it treats alike are merged")  # fmt: skip


def _groups(node: Node) -> Groups:
    """Group the call's own axes; none for calls that are handled in another way."""
    name = kind(node)
    if name == "index":
        return most_axes(node)
    if name == "cat" or (name in _ALONG and _works_over_all(node)):
        return []
    if name in _ALONG:
        return around(shape(operand(node)), _axes(node, len(shape(operand(node)))))
    if name in _PRODUCTS and name != "linear":
        lead = [shape(read)[:-2] for read in node.all_input_nodes]
        return [*alike(lead, broadcast(*lead)), [0], [0]]
    if name in _NORMS:
        return [[0], *([axis] for axis in range(len(argument(node, "normalized_shape"))))]
    if name == "expand":
        return alike([shape(operand(node))], shape(node))
    if _is_pointwise(node):
        return alike([shape(read) for read in node.all_input_nodes], shape(node))
    return []


def _own(source: Node, sizes: Any, edit: Edit) -> Node:
    """Reshape to these sizes; a constant is reshaped at compile time."""
    if edit.draft.is_constant(source) and list(shape(source)) != list(sizes):
        return edit.constant(edit.draft.tensor(source).reshape(sizes), "constant")
    return edit.reshaped(source, sizes)


def _fitted(source: Node, whole: tuple[int, ...], groups: Groups, edit: Edit) -> Node:
    """Merge the axes of an operand that is broadcast.

    A plain number stays one: it does not decide the type of the result.
    """
    if not shape(source):
        return source
    own = [1] * (len(whole) - len(shape(source))) + list(shape(source))
    return _own(source, merged(own, groups), edit)


def _each(node: Node, edit: Edit) -> Node:
    groups = _groups(node)
    inputs = {read: _fitted(read, shape(node), groups, edit) for read in node.all_input_nodes}
    return edit.copied(node, inputs.__getitem__)


def _expanded(node: Node, edit: Edit) -> Node:
    groups = _groups(node)
    source = _fitted(operand(node), shape(node), groups, edit)
    return edit.call(aten.expand.default, source, merged(shape(node), groups))


def _permuted(node: Node, edit: Edit) -> Node:
    sizes = shape(operand(node))
    groups = runs_of(sizes, permutation_of(node))
    lying = sorted(groups)
    permutation = [lying.index(group) for group in groups]
    dims = merged(sizes, lying)
    result = operand(node)
    if len(dims) <= MOST:
        return edit.call(aten.permute.default, _own(result, dims, edit), permutation)
    for step in steps(dims, permutation):
        result = edit.call(aten.permute.default, _own(result, step, edit), [0, 2, 1, 3])
    return result


def _axis_names(node: Node) -> str:
    return "dims" if has_argument(node, "dims") else "dim"


def _works_over_all(node: Node) -> bool:
    name = _axis_names(node)
    return not has_argument(node, name) or argument(node, name) in (None, [])


def _axes(node: Node, rank: int) -> list[int]:
    dims = argument(node, _axis_names(node))
    return [axis % rank for axis in ([dims] if isinstance(dims, int) else dims)]


def _along(node: Node, edit: Edit) -> Node:
    """Make the call with the axes before, between and behind those that it works along merged
    into one each.
    """
    if kind(node) == "cat":
        return _joined(list(argument(node, "tensors")), integer(node, "dim") % len(shape(node)), edit)  # fmt: skip
    source = operand(node)
    name = _axis_names(node)
    if _works_over_all(node):
        return edit.again(node, _own(source, [prod(shape(source))], edit), *node.args[1:], **node.kwargs)  # fmt: skip
    special = _axes(node, len(shape(source)))
    groups = around(shape(source), special)
    places = [next(k for k, group in enumerate(groups) if axis in group) for axis in special]
    one = isinstance(argument(node, name), int)
    arguments = _with(node, name, places[0] if one else places)
    return edit.again(node, _own(source, merged(shape(source), groups), edit), *arguments[0], **arguments[1])  # fmt: skip


def _with(node: Node, name: str, new: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments behind the first, with another value for one of them."""
    names = parameter_names(node)
    place = names.index(name)
    args = list(node.args[1:])
    if place < len(node.args):
        args[place - 1] = new
        return args, dict(node.kwargs)
    return args, {**node.kwargs, name: new}


def _joined(parts: list[Node], axis: int, edit: Edit) -> Node:
    def flat(part: Node) -> Node:
        sizes = shape(part)
        return _own(part, [prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :])], edit)

    return edit.call(aten.cat.default, [flat(part) for part in parts], 1)


def _stacked(node: Node, edit: Edit) -> Node:
    axis = integer(node, "dim") % len(shape(node))
    sizes = shape(node)
    three = [prod(sizes[:axis]), 1, prod(sizes[axis + 1 :])]
    parts = [_own(part, three, edit) for part in argument(node, "tensors")]
    return edit.call(aten.cat.default, parts, 1)


def _multiplied(node: Node, edit: Edit) -> Node:
    source = operand(node)
    if kind(node) == "linear":
        rows = [prod(shape(source)[:-1]), shape(source)[-1]]
        return edit.again(node, _own(source, rows, edit), *node.args[1:], **node.kwargs)
    lead = broadcast(*(shape(read)[:-2] for read in node.all_input_nodes))
    groups = alike([shape(read)[:-2] for read in node.all_input_nodes], lead)

    def fitted(read: Any) -> Node:
        own = [1] * (len(lead) - len(shape(read)) + 2) + list(shape(read)[:-2])
        return _own(read, [*merged(own, groups), *shape(read)[-2:]], edit)

    return edit.call(aten.matmul.default, fitted(node.args[0]), fitted(node.args[1]))


def _normed(node: Node, edit: Edit) -> Node:
    sizes = shape(operand(node))
    own = len(argument(node, "normalized_shape"))
    flat = [prod(sizes[:-own]), *sizes[-own:]]
    return edit.again(node, _own(operand(node), flat, edit), *node.args[1:], **node.kwargs)
