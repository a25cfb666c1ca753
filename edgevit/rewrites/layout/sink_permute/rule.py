"""Layouts sunk through a program: values stay where a convolution leaves them, until a call
needs another order.

    linear(permute(x), W, b)                 ->   permute(conv2d(x, W, b))
    layer_norm(permute(x))                   ->   permute(norm over the channels of x)
    softmax(q @ k^T) @ v   of columns        ->   v^T @ softmax(k @ q^T, over the keys)         by columns again
    cat, slice, softmax, mean, pad (axis)    ->   the same along the axis in memory
    f(permute(x), reshape(permute(y)))       ->   permute(f(x, y))                              f of each place alone

Permutes and reshapes are first taken for what they are, other names of the same values, and made only where a call
needs its operands in one order. The program is rewritten as a whole, and only if fewer permutes are left. Sums are
added in another order: hence `rtol`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.cost import MATMULS, TRANSPOSES
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.layout.sink_permute.calls import handler
from edgevit.rewrites.layout.sink_permute.expression import (
    Expression,
    FoldedConstant,
    GraphValue,
    NewCall,
    reachable,
    sources,
)
from edgevit.rewrites.layout.sink_permute.layout_assignment import LayoutAssignment
from edgevit.rewrites.rule import Match, Refused, Rule


@dataclass(frozen=True)
class Sunk(Match):
    """Results of the program, to be rewritten by a plan. `node` is one of them."""

    plan: LayoutAssignment
    before: int


class SinkPermute(Rule[Sunk]):
    name: ClassVar[str] = "sink-permute"
    rtol: ClassVar[float] = 1e-5
    after: ClassVar[tuple[str, ...]] = ("fold-norm-affine",)

    def match(self, node: Node, draft: Draft) -> Sunk | None:
        results = draft.graph.output_node().all_input_nodes
        if node.op != "call_function" or node is not next(
            (r for r in results if r.op == "call_function"), None
        ):
            return None
        before = _permutes(draft)
        if not before:
            return None
        plans = [LayoutAssignment(draft, handler, early) for early in (False, True)]
        return Sunk(node, min(plans, key=lambda plan: plan.permutes), before)

    def check(self, match: Sunk, draft: Draft) -> None:
        after = match.plan.permutes
        if after >= match.before:
            raise Refused(
                f"pushed down as far as it goes, {after} permutes are left of {match.before}"
            )

    def rewrite(self, match: Sunk, edit: Edit) -> Node:
        results = match.plan.results
        written = _written(list(results.values()), edit.draft, self.name)
        for node, source in results.items():
            if node is not match.node and written[source] is not node:
                Edit(edit.draft, self.name, node).replace(node, written[source])
        return written[results[match.node]]


def _permutes(draft: Draft) -> int:
    """Count permutes, without those that products of matrices absorb."""
    return sum(kind(node) in TRANSPOSES and not _is_taken_in(node) for node in draft.graph.nodes)


def _is_taken_in(node: Node) -> bool:
    permutation = permutation_of(node)
    swap = [*range(len(permutation) - 2), len(permutation) - 1, len(permutation) - 2]
    return permutation == swap and all(kind(user) in MATMULS for user in node.users)


def _written(results: list[Expression], draft: Draft, rule: str) -> dict[Expression, Node]:
    written: dict[Expression, Node] = {}
    for one in reachable(results):
        if isinstance(one, GraphValue):
            written[one] = one.node
        elif isinstance(one, NewCall):
            edit = Edit(draft, rule, one.at)
            for source in sources(one):
                if isinstance(source, FoldedConstant) and source not in written:
                    written[source] = _constant(source, edit)
            args, kwargs = (_with_nodes(arguments, written) for arguments in (one.args, one.kwargs))
            written[one] = edit.call(one.target, *args, **kwargs)
    return written


def _constant(constant: FoldedConstant, edit: Edit) -> Node:
    if constant.change is None:
        return constant.node
    name = str(constant.node.target).rsplit(".", 1)[-1]
    return edit.constant(constant.change(edit.draft.tensor(constant.node)), name)


def _with_nodes(argument: Any, written: Mapping[Expression, Node]) -> Any:
    if isinstance(argument, GraphValue | FoldedConstant | NewCall):
        return written[argument]
    if isinstance(argument, list | tuple):
        argument = cast(Sequence[Any], argument)
        return [_with_nodes(one, written) for one in argument]
    if isinstance(argument, Mapping):
        argument = cast(Mapping[str, Any], argument)
        return {name: _with_nodes(one, written) for name, one in argument.items()}
    return argument
