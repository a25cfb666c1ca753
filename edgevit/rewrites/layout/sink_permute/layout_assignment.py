"""Layout plan of a program: values stay where they are, and are copied only where a call
needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import has_tag, kind, mapped_arguments, operand
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape, value
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.layout.name_views import permutation_of
from edgevit.rewrites.layout.sink_permute.axis_layout import (
    Order,
    Parts,
    four,
    laid_in,
    order_in,
    parts_of,
    plain,
    runs,
)
from edgevit.rewrites.layout.sink_permute.expression import (
    Expression,
    FoldedConstant,
    GraphValue,
    Laid,
    NewCall,
    Workshop,
    reachable,
)

_UNTAGGED = frozenset({"hardswish", "_to_copy", "clone", "log_sigmoid"})
Handler = Callable[["LayoutAssignment", Node], Laid | None]


class LayoutAssignment:
    """Layout of every value, and the expressions that make it.

    `early`: a stack of windows is made one, and tokens get their channels before them, where they
    are first read, not where a product of matrices needs it. All that is computed from them then
    shares the one permute.
    """

    def __init__(
        self, draft: Draft, handler: Callable[[Node], Handler | None], early: bool
    ) -> None:
        self.draft = draft
        self.early = early
        self.workshop = Workshop()
        self._laid: dict[Node, Laid] = {}
        for node in draft.graph.nodes:
            if node.op == "call_function":
                self._laid[node] = self._lay(node, handler(node))
        self.results = {
            node: self.settled(self.of(node), node)
            for node in dict.fromkeys(draft.graph.output_node().all_input_nodes)
            if node.op == "call_function"
        }

    @property
    def permutes(self) -> int:
        """Number of permutes left, without those that products of matrices absorb."""
        expressions = reachable(list(self.results.values()))
        return sum(isinstance(one, NewCall) and one.is_permute for one in expressions)

    def of(self, node: Node) -> Laid:
        if node not in self._laid:
            sizes = shape(node)
            is_constant = self.draft.is_constant(node)
            self._laid[node] = Laid(
                FoldedConstant(node, sizes) if is_constant else GraphValue(node, sizes),
                plain(sizes),
            )
        return self._laid[node]

    def _lay(self, node: Node, handler: Handler | None) -> Laid:
        if kind(node) in TRANSPOSES or kind(node) in RESHAPES:
            return self._viewed(node)
        if self.early:
            self._bring_early(node)
        if handler is None or self._is_untouched(node):
            return self._opaque(node)
        return handler(self, node) or self._opaque(node)

    def _bring_early(self, node: Node) -> None:
        """Permute a value early, for this reader and all that come after it."""
        source = node.args[0] if node.args else None
        if not isinstance(source, Node) or self.draft.is_constant(source) or is_pointwise(node):
            return
        laid = self.of(source)
        if laid.maybe_layout is None or len(laid.maybe_layout.axes) < 3:
            return
        stack, *others = (sorted(axis) for axis in laid.maybe_layout.axes)
        rest = [f for f in range(len(laid.maybe_layout.sizes)) if f not in stack]
        if kind(node) in {"linear", "layer_norm"} and len(others) == 2 and all(others):
            rest = [*others[1], *others[0]]
        if [*stack, *rest] != list(range(len(laid.maybe_layout.sizes))):
            self._laid[source] = self.relaid(laid, [*stack, *rest], node)

    def _viewed(self, node: Node) -> Laid:
        laid = self.of(operand(node))
        if kind(node) in TRANSPOSES:
            return Laid(laid.source, laid.layout.permuted(permutation_of(node)))
        reshaped = laid.layout.reshaped(shape(node))
        if reshaped is not None:
            return Laid(laid.source, reshaped.merged())
        return Laid(self.settled(laid, node), plain(shape(node)))

    def _is_untouched(self, node: Node) -> bool:
        read = (self.of(source).source for source in node.all_input_nodes)
        return all(
            isinstance(source, FoldedConstant)
            or (isinstance(source, GraphValue) and source.node is source_node)
            for source, source_node in zip(read, node.all_input_nodes, strict=True)
        )

    def _opaque(self, node: Node) -> Laid:
        """Keep the call as it is, on values in their original layout."""
        settled = {read: self.settled(self.of(read), node) for read in node.all_input_nodes}
        sizes = getattr(value(node), "shape", None)  # of several results there is none
        layout = None if sizes is None else plain(sizes)
        result_shape = () if sizes is None else tuple(sizes)
        if all(_is_itself(source, read) for read, source in settled.items()):
            return Laid(GraphValue(node, result_shape), layout)
        args, kwargs = mapped_arguments(node, settled.__getitem__)
        return Laid(NewCall(node, node.target, args, kwargs, result_shape), layout)

    def arranged(self, laid: Laid, parts: Parts, order: Order, at: Node) -> Expression:
        """Permute the value to the wanted order of its parts."""
        lies = order_in(laid.layout, parts)
        if lies == order:
            return laid.source
        return self.workshop.permuted(laid.source, *_permutation(lies, order, parts), at)

    def is_free(self, laid: Laid, parts: Parts, order: Order) -> bool:
        """Check that `arranged` copies nothing that is not copied anyway."""
        lies = order_in(laid.layout, parts)
        return lies == order or self.workshop.has(laid.source, *_permutation(lies, order, parts))

    def relaid(self, laid: Laid, places: Sequence[int], at: Node) -> Laid:
        """Permute the value to the wanted order of its layout's factors."""
        parts = parts_of(laid.layout)
        number = {f: n for n, f in enumerate(f for axis in laid.layout.axes for f in axis)}
        order = tuple(number[f] for f in places)
        return Laid(self.arranged(laid, parts, order, at), laid_in(order, parts))

    def gathered(self, laid: Laid, axis: int, at: Node) -> Laid:
        """Bring the factors of one axis together, in their own order.

        Where windows have torn the axis apart, the others are made whole as well. Each goes where
        its last factor is, which restores their former order.
        """
        layout = laid.layout.merged()
        if len(layout.axes[axis]) < 2:
            return Laid(laid.source, layout)
        whole = sorted((one for one in layout.axes if one), key=lambda one: one[-1])
        return self.relaid(Laid(laid.source, layout), [f for one in whole for f in one], at)

    def settled(self, laid: Laid, at: Node) -> Expression:
        """Return the value row-major, in its own shape."""
        if laid.maybe_layout is None:
            return laid.source
        if not laid.maybe_layout.is_plain:
            laid = self.relaid(laid, [f for axis in laid.maybe_layout.axes for f in axis], at)
        return self.workshop.reshaped(laid.source, laid.layout.shape, at)

    def exposed(
        self, laid: Laid, block: Sequence[int], at: Node, cut: bool = False
    ) -> tuple[Expression, tuple[int, ...]]:
        """Expose the factors of `block` as separate axes.

        Return the value and the indices of these axes. There is one axis for each stretch of the
        factors in memory, or several if they may be `cut`. The current shape, or the value's own,
        is used if it fits; else a single stretch becomes channels or the last axis.
        """
        sizes = laid.layout.sizes
        stretches = [list(run) for _, run in groupby(range(len(sizes)), set(block).__contains__)]
        block_runs = [run for run in stretches if run[0] in block]
        for likely in (laid.source.shape, *([laid.layout.shape] if laid.layout.is_plain else [])):
            likely_runs = runs(range(len(sizes)), sizes, likely) or []
            inside = tuple(k for k, run in enumerate(likely_runs) if run and set(run) <= set(block))
            whole = sum(len(likely_runs[k]) for k in inside) == len(block)
            if whole and (cut or len(inside) == len(block_runs)):
                return self.workshop.reshaped(laid.source, likely, at), inside
        if len(block_runs) == 1:
            stretches = four(stretches)
        shape = [prod(sizes[f] for f in run) for run in stretches]
        places = tuple(stretches.index(run) for run in block_runs)
        return self.workshop.reshaped(laid.source, shape, at), places


def is_pointwise(node: Node) -> bool:
    """Check that each value is computed from the values at its own place."""
    return has_tag(node, torch.Tag.pointwise) or kind(node) in _UNTAGGED


def is_together(factors: Sequence[int]) -> bool:
    """Check that the factors are neighbours in memory, in any order."""
    return len(factors) > 0 and max(factors) - min(factors) == len(factors) - 1


def _permutation(lies: Order, order: Order, parts: Parts) -> tuple[list[int], list[int]]:
    """Return a shape of the value and the permute that brings its parts from `lies` to `wanted`.

    Parts that stay neighbours are one axis. There are four axes at least, as the Neural Engine has
    them.
    """
    sizes = [size for axis in parts for size in axis]
    follows = dict(pairwise(lies))
    groups: list[list[int]] = []
    for part in order:
        if groups and follows.get(groups[-1][-1]) == part:
            groups[-1].append(part)
        else:
            groups.append([part])
    lying = sorted(groups, key=lambda group: lies.index(group[0]))
    dims = [prod(sizes[part] for part in group) for group in lying]
    permutation = [lying.index(group) for group in groups]
    added = max(4 - len(dims), 0)
    return [1] * added + dims, [*range(added), *(added + axis for axis in permutation)]


def _is_itself(source: Expression, node: Node) -> bool:
    if isinstance(source, FoldedConstant):
        return source.node is node and source.change is None
    return isinstance(source, GraphValue) and source.node is node
