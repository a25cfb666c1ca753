"""Merging of attention heads with similar maps, which then share one map.

    cat(m_1 v_1, m_2 v_2), m_h = softmax(q_h k_h^T)   ->   split(m_1 cat(v_1, v_2))       where cos(m_1, m_2) > THRESHOLD

The maps are measured on the example inputs. A head joins the one that has the most like it; its rows of the query and
key projections go, and its values are multiplied by the other's map. Values and what follows stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.aten import argument, op
from edgevit.graph.calls import ATTENTION, Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, shape
from edgevit.graph.tensors import integers
from edgevit.rewrites.engine import apply
from edgevit.rewrites.lossy.head_rows import (
    head_rows,
    mask_of,
    read_rows,
    require_plain,
    require_unread,
)
from edgevit.rewrites.lossy.option import NO_ATTENTION, LossyStep, LossyValueError, Taken
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_READ = ("query", "key", "value")
HeadGroups = list[list[int]]  # of heads; the first of each lends its map


@dataclass(frozen=True)
class MergeHeads(Rule[Match]):
    threshold: float
    likeness: Mapping[str, torch.Tensor]  # of every pair of heads, by the attention's name
    name: ClassVar[str] = "merge-heads"

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if node.name in self.likeness and op(node) == ATTENTION else None

    def check(self, match: Match, draft: Draft) -> None:
        node = match.node
        likeness = self.likeness[node.name]
        if len(likeness) == 1:
            raise Refused("it has one head")
        require_plain(node, draft)
        sources = [head_rows(argument(node, name), draft) for name in _READ]
        require_unread(node, sources)
        if len(_groups(likeness, self.threshold)) == len(likeness):
            nearest = (likeness - 2 * torch.eye(len(likeness))).max()
            raise Refused(
                f"no heads are that much alike: the nearest two have cosine {nearest:.3f}"
            )

    def rewrite(self, match: Match, edit: Edit) -> Node:
        groups = _groups(self.likeness[match.node.name], self.threshold)
        parts, order = list[Node](), list[int]()
        for _, alike in groupby(sorted(groups, key=len), key=len):
            members = torch.tensor(list(alike))
            parts.append(_shared(match.node, members, edit))
            order += integers(members)
        return _in_order(parts, order, edit)


def merge_heads(value: str) -> LossyStep:
    try:
        threshold = float(value)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold < 1:
        raise LossyValueError("its value is a cosine similarity from 0 to below 1: merge-heads=0.9")
    return lambda program, _: _merged(program, threshold)


def _merged(program: Program, threshold: float) -> Taken:
    measured = _Measured(program)
    with torch.no_grad():
        measured.run(*program.inputs)
    if not measured.likeness:
        return program, (), (NO_ATTENTION,)
    return apply(MergeHeads(threshold, measured.likeness), program)


class _Measured(fx.Interpreter):
    """Interpreter that records the similarity of the heads' attention maps."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.module())
        self.likeness: dict[str, torch.Tensor] = {}

    def run_node(self, n: Node) -> Any:
        if op(n) == ATTENTION and len(shape(n)) == 4:
            self.likeness[n.name] = _likeness(n, self.map_nodes_to_values)
        return super().run_node(n)


def _likeness(node: Node, valued: Any) -> torch.Tensor:
    attention = Attention.at(node)
    q, k = (valued(one, node).double() for one in (attention.query, attention.key))
    if q.shape[1] != k.shape[1]:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
    # Of values that tell the keys apart, an attention gives back its own map.
    every = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:2], -1, -1)
    mask_value = None if attention.mask is None else valued(attention.mask, node)
    if mask_value is not None and mask_value.is_floating_point():
        mask_value = mask_value.double()
    maps = torch.nn.functional.scaled_dot_product_attention(
        q, k, every, mask_value, is_causal=attention.is_causal, scale=attention.scale
    )
    rows = torch.nn.functional.normalize(maps.transpose(0, 1).flatten(1), dim=1)
    return rows @ rows.T


def _groups(likeness: torch.Tensor, threshold: float) -> HeadGroups:
    """Group similar heads, those with the most similar others first. None is in two groups."""
    heads, groups = list(range(len(likeness))), HeadGroups()
    while heads:
        alike = {h: [o for o in heads if o != h and likeness[h, o] > threshold] for h in heads}
        leader = max(heads, key=lambda h: (len(alike[h]), -h))
        groups.append([leader, *alike[leader]])
        heads = [h for h in heads if h not in groups[-1]]
    return groups


def _shared(node: Node, members: torch.Tensor, edit: Edit) -> Node:
    """Build the attention of groups of one size: one map each, over the values of all its
    heads side by side.
    """
    query, key, content = (argument(node, name) for name in _READ)
    leaders, (count, size) = members[:, 0], members.shape
    q, k, v = (head_rows(one, edit.draft) for one in (query, key, content))
    values = v.rows[members].flatten(1)
    mixed = edit.again(
        node,
        read_rows(q, q.rows[leaders], query, edit),
        read_rows(k, k.rows[leaders], key, edit),
        read_rows(v, values, content, edit),
        mask_of(node, leaders, edit),
        0.0,
        argument(node, "is_causal"),
        scale=argument(node, "scale"),
    )
    if size == 1:
        return mixed
    batch, _, tokens, width = shape(node)
    apart = edit.call(aten.reshape.default, mixed, [batch, count, tokens, size, width])
    transposed = edit.call(aten.permute.default, apart, [0, 1, 3, 2, 4])
    return edit.call(aten.reshape.default, transposed, [batch, count * size, tokens, width])


def _in_order(parts: list[Node], order: list[int], edit: Edit) -> Node:
    """Restore the order of the heads. Neighbours stay together, so that few slices are needed."""
    whole = parts[0] if len(parts) == 1 else edit.call(aten.cat.default, parts, 1)
    if order == sorted(order):
        return whole
    places = [order.index(head) for head in range(len(order))]
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    pieces = [edit.call(aten.slice.Tensor, whole, 1, start, end) for start, end in runs]
    return edit.call(aten.cat.default, pieces, 1)
