"""Heads of attentions that go, the projection behind fitted to the rest.

    W cat(m_1 v_1, m_2 v_2) + b   ->   W' m_1 v_1 + b'        `fewer_inputs`, a group of channels for each head

Rows of the query, key and value projections go with the head. `prune-heads=1`: one of each attention; `0.25`: a
quarter of all, those first whose loss is the smallest share of what the projection behind computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, op, operand
from edgevit.graph.calls import ATTENTION, weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Inputs, Program, origin, shape
from edgevit.rewrites.convolutions.linear_calls import is_projection
from edgevit.rewrites.lossy.channel_region import with_source
from edgevit.rewrites.lossy.fewer_inputs import FewerInputs, fewer_inputs
from edgevit.rewrites.lossy.head_rows import (
    VIEWS,
    head_rows,
    mask_of,
    read_rows,
    require_plain,
    require_unread,
    through,
)
from edgevit.rewrites.lossy.input_moments import InputMoments, input_moments
from edgevit.rewrites.lossy.option import NO_ATTENTION, LossyStep, LossyValueError, Taken
from edgevit.rewrites.lossy.prune_mlp import share_of
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import Refused

aten = torch.ops.aten
_READ = ("query", "key", "value")


@dataclass(frozen=True)
class HeadColumns:
    """Input channels of the projection behind an attention that each head writes: heads x width."""

    attention: Node
    projection: Node
    columns: torch.Tensor

    @property
    def axis(self) -> int:
        return -1 if kind(self.projection) == "linear" else 1


def prune_heads(value: str) -> LossyStep:
    try:
        goes: float = int(value) if value.isdecimal() else share_of(value, "prune-heads")
    except LossyValueError:
        goes = 0
    if not goes:
        raise LossyValueError(
            "its value is how many heads of each attention go, or a share below 1: prune-heads=1, 0.25"
        )
    return lambda program, samples: _pruned(program, goes, samples())


def _pruned(program: Program, goes: float, samples: Sequence[Inputs]) -> Taken:
    draft = Draft(program)
    attentions = [node for node in draft.graph.nodes if op(node) == ATTENTION]
    if not attentions:
        return program, (), (NO_ATTENTION,)
    sites, refused = list[HeadColumns](), list[Refusal]()
    for node in attentions:
        try:
            sites.append(_head_columns(node, draft))
        except Refused as refusal:
            refused.append(Refusal(origin(node).place, refusal.reason))
    axes = {operand(site.projection).name: site.axis for site in sites}
    moments = input_moments(program, axes, samples)
    fits = [_fits(site, moments[operand(site.projection).name], draft) for site in sites]
    places: list[str] = []
    for site, there, count in zip(sites, fits, _going(fits, goes), strict=True):
        if count:
            places.append(origin(site.attention).place)
            _prune(site, there[count], draft)
        else:
            why = f"its {len(there)} heads lose more than those of others"
            refused.append(Refusal(origin(site.attention).place, why))
    return (draft.program() if places else program), tuple(places), tuple(refused)


def _fits(site: HeadColumns, moments: InputMoments, draft: Draft) -> list[FewerInputs]:
    """Return the projection behind with 0, 1, ... heads less."""
    view = weighted_at(site.projection)
    bias = None if view.bias is None else draft.tensor(view.bias)
    weight, heads = draft.tensor(view.weight).flatten(1), len(site.columns)
    return [
        fewer_inputs(weight, bias, moments, site.columns, heads - count) for count in range(heads)
    ]


def _going(fits: Sequence[Sequence[FewerInputs]], goes: float) -> list[int]:
    """Return how many heads of each attention go: a number for each, or a share of all, cheapest first."""
    if goes >= 1:
        return [min(int(goes), len(there) - 1) for there in fits]
    counts = [0] * len(fits)
    for _ in range(int(sum(map(len, fits)) * goes + 1e-9)):
        steps = [
            (there[count + 1].loss - there[count].loss, index)
            for index, (there, count) in enumerate(zip(fits, counts, strict=True))
            if count + 1 < len(there)
        ]
        if not steps:
            break
        counts[min(steps)[1]] += 1
    return counts


def _head_columns(attention: Node, draft: Draft) -> HeadColumns:
    """Find the projection behind an attention. Raises `Refused`."""
    if len(shape(attention)) != 4:
        raise Refused("its queries are not batch x heads x tokens x channels")
    batch, heads, tokens, width = shape(attention)
    if heads == 1:
        raise Refused("it has one head")
    require_plain(attention, draft)
    require_unread(attention, [head_rows(argument(attention, name), draft) for name in _READ])
    label = torch.arange(heads * width).reshape(1, heads, 1, width).expand(shape(attention))
    place = torch.arange(batch * tokens).reshape(batch, 1, tokens, 1).expand(shape(attention))
    node, (projection, label, place) = attention, _to_projection(attention, label, place, draft)
    axis = -1 if kind(projection) == "linear" else 1
    label, place = (one.movedim(axis, -1).flatten(0, -2) for one in (label, place))
    if not bool((label == label[:1]).all()) or label.shape[1] != heads * width:
        raise Refused(f"the views behind it mix channels and tokens of {node.name}")
    if not bool((place == torch.arange(batch * tokens)[:, None]).all()):
        raise Refused("the views behind it rearrange the tokens")
    return HeadColumns(attention, projection, label[0].argsort().reshape(heads, width))


def _to_projection(
    node: Node, label: torch.Tensor, place: torch.Tensor, draft: Draft
) -> tuple[Node, torch.Tensor, torch.Tensor]:
    while True:
        if len(node.users) != 1:
            raise Refused("its result is read more than once before a projection")
        (user,) = node.users
        if is_projection(user, draft) and operand(user) is node:
            return user, label, place
        if kind(user) not in VIEWS or operand(user) is not node or kind(user) == "unbind":
            raise Refused(f"`{kind(user) or user.op}` stands between it and the projection behind")
        label, place = (through(user, one) for one in (label, place))
        node = user


def _prune(site: HeadColumns, fewer: FewerInputs, draft: Draft) -> None:
    node = site.attention
    heads = torch.tensor(fewer.groups)
    edit = Edit(draft, "prune-heads", site.projection, (node, site.projection))
    parts: list[Node] = []
    for name in _READ:
        rows = head_rows(argument(node, name), draft)
        parts.append(read_rows(rows, rows.rows[heads], argument(node, name), edit))
    options = {"scale": argument(node, "scale")}
    attention = edit.again(
        node, *parts, mask_of(node, heads, edit), 0.0, argument(node, "is_causal"), **options
    )
    source = _behind(site, attention, edit)
    edit.replace(site.projection, with_source(site.projection, source, fewer.weight, fewer.bias, edit))  # fmt: skip


def _behind(site: HeadColumns, attention: Node, edit: Edit) -> Node:
    """Lay the heads side by side, as the projection reads them."""
    _, heads, _, width = shape(attention)
    sizes = list(shape(operand(site.projection)))
    sizes[site.axis] = heads * width
    order = [0, 2, 1, 3] if site.axis == -1 else [0, 1, 3, 2]
    return edit.call(aten.reshape.default, edit.call(aten.permute.default, attention, order), sizes)
