"""Search for every way to write a value as one convolution of a value before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind, operand
from edgevit.graph.cost import bytes_moved, macs
from edgevit.graph.edit import Draft
from edgevit.graph.program import has_tensor, shape, value
from edgevit.rewrites.convolutions.collapse_linear.form import (
    BorderMismatchError,
    LinearForm,
    added,
    composed,
    identity,
    scaled,
)
from edgevit.rewrites.convolutions.collapse_linear.steps import (
    LAST,
    STEPS,
    channels,
    layouts,
    linear_input,
    spatial,
    step_of,
    sum_of,
)
from edgevit.rewrites.rule import made_by_rule

Key = tuple[Node, str]  # a source, and where its channels are
_REACH = 24  # linear calls looked back through; the longest branch of the nets we know has nine


@dataclass
class Region:
    """Linear region before one value, with the forms and borders found in the walk back."""

    draft: Draft
    forms: dict[Node, dict[Key, LinearForm]]
    borders: list[tuple[Node, str]]  # calls that ended a walk because of the border

    @staticmethod
    def before(sink: Node, draft: Draft) -> Region:
        region = Region(draft, {}, [])
        region.explore(sink, _REACH)
        return region

    def explore(self, node: Node, reach: int) -> dict[Key, LinearForm]:
        if node not in self.forms:
            forms = dict(self._as_source(node))
            self.forms[node] = forms
            kept_apart = made_by_rule(node, "split-depthwise")
            if reach and node.op == "call_function" and not kept_apart:
                forms.update(self._derived(node, reach - 1))
        return self.forms[node]

    def _as_source(self, node: Node) -> Iterator[tuple[Key, LinearForm]]:
        if has_tensor(node) and value(node).is_floating_point() and node.op != "get_attr":
            for layout in layouts(shape(node)):
                yield (
                    (node, layout),
                    identity(channels(shape(node), layout), spatial(shape(node), layout)),
                )

    def _derived(self, node: Node, reach: int) -> dict[Key, LinearForm]:
        pair = sum_of(node)
        if pair and pair[0].op != "get_attr" and pair[1].op != "get_attr":
            return self._sum(*pair, reach)
        if _keeps_last_axis(node):
            inner = self.explore(operand(node), reach)
            return {key: form for key, form in inner.items() if key[1] == LAST}
        source = linear_input(node)
        if source is None or kind(node) not in STEPS:
            return {}
        steps = {layout: step_of(node, self.draft, layout) for layout in layouts(shape(source))}
        forms: dict[Key, LinearForm] = {}
        for key, form in self.explore(source, reach).items():
            step = steps.get(key[1])
            if step is not None:
                composite = self._compose(node, step, form, key)
                if composite is not None:
                    forms[key] = composite
        return forms

    def _compose(
        self, node: Node, step: LinearForm, form: LinearForm, key: Key
    ) -> LinearForm | None:
        try:
            return composed(step, form)
        except BorderMismatchError as reason:
            self.borders.append((node, str(reason)))
            return None

    def _sum(self, a: Node, b: Node, factor: float, reach: int) -> dict[Key, LinearForm]:
        firsts, seconds = self.explore(a, reach), self.explore(b, reach)
        forms: dict[Key, LinearForm] = {}
        for key in firsts.keys() & seconds.keys():
            one, other = firsts[key], seconds[key]
            if one.stride == other.stride and one.size == other.size:
                weight = torch.full((other.outs,), factor, dtype=torch.float64)
                forms[key] = added(one, other if factor == 1 else scaled(other, weight))
        return forms


def _keeps_last_axis(node: Node) -> bool:
    """Check for a reshape that leaves the last axis as it is: rows are regrouped, each row
    stays whole.
    """
    if kind(node) not in {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"}:
        return False
    source = node.args[0]
    return (
        isinstance(source, Node)
        and min(len(shape(source)), len(shape(node))) >= 2
        and shape(source)[-1] == shape(node)[-1]
    )


def replaced_by(sink: Node, source: Node) -> list[Node]:
    """List the calls between source and sink that nothing else reads, the sink among them."""
    dead: dict[Node, None] = {sink: None}
    stack = list(sink.all_input_nodes)
    while stack:
        node = stack.pop()
        if (
            node is source
            or node in dead
            or node.op != "call_function"
            or any(u not in dead for u in node.users)
        ):
            continue
        dead[node] = None
        stack.extend(node.all_input_nodes)
    return list(dead)


def cost(nodes: list[Node]) -> tuple[int, int]:
    return sum(macs(n) for n in nodes), sum(bytes_moved(n) for n in nodes)
