"""Channels of a projection that each head of an attention reads, through any views between."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, run_call
from edgevit.graph.calls import Attention
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.linear_calls import channel_axis, is_projection, with_weights
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Refused

aten = torch.ops.aten
# Calls that pick or arrange values: what they do to labels, they do to values.
VIEWS = RESHAPES | {"permute", "transpose", "movedim", "swapaxes", "slice", "select", "narrow", "contiguous", "clone",
                    "unbind", "split", "split_with_sizes", "chunk", "getitem"}  # fmt: skip


@dataclass(frozen=True)
class HeadRows:
    """Channels of each head: `rows[h, d]` is the channel of `projection` that channel d of
    head h is.
    """

    projection: Node
    path: tuple[Node, ...]  # the views, from the projection on
    rows: torch.Tensor


def head_rows(node: Node, draft: Draft) -> HeadRows:
    """Find the channels of queries, keys or values of shape batch x heads x tokens x channels.

    Raises `Refused`.
    """
    path: list[Node] = []
    source = node
    while kind(source) in VIEWS:
        path.insert(0, source)
        source = operand(source)
    if not is_projection(source, draft):
        raise Refused(f"`{kind(source) or source.op}` stands between the projection and the heads")
    place, channel = _labels(source)
    for view in path:
        place, channel = (through(view, labels) for labels in (place, channel))
    if not bool((channel == channel[:1, :, :1]).all()):
        raise Refused("the views after the projection mix channels and tokens")
    batch, _, tokens, _ = shape(node)
    straight = torch.arange(batch * tokens).reshape(batch, 1, tokens, 1)
    if not bool((place == straight).all()):
        raise Refused("the views after the projection rearrange the tokens")
    return HeadRows(source, tuple(path), channel[0, :, 0])


def read_rows(heads_read: HeadRows, rows: torch.Tensor, like: Node, edit: Edit) -> Node:
    """Build heads from the given rows of the projection, in the shape of `like` but for heads
    and channels.
    """
    heads, width = rows.shape
    batch, _, tokens, _ = shape(like)
    projection = with_weights(heads_read.projection, lambda tensor: tensor[rows.flatten()], edit)
    if kind(heads_read.projection) == "linear":
        apart = edit.call(aten.reshape.default, projection, [batch, tokens, heads, width])
        return edit.call(aten.permute.default, apart, [0, 2, 1, 3])
    apart = edit.call(aten.reshape.default, projection, [batch, heads, width, tokens])
    return edit.call(aten.permute.default, apart, [0, 1, 3, 2])


def require_plain(node: Node, draft: Draft) -> None:
    """Refuse attentions whose heads cannot be taken apart."""
    attention, heads = Attention.at(node), shape(node)[1]
    mask = attention.mask
    if attention.dropout or attention.groups_queries:
        raise Refused("it drops values at random, or groups of its queries share a key")
    if mask is not None and _for_each_head(mask, heads) and not draft.is_constant(mask):
        raise Refused("its mask is computed for each head")


def _for_each_head(mask: Node, heads: int) -> bool:
    return len(shape(mask)) >= 3 and shape(mask)[-3] == heads


def require_unread(node: Node, sources: list[HeadRows]) -> None:
    """Refuse projections that are read elsewhere: they would stay, and nothing would be saved."""
    own = {node, *(view for rows in sources for view in rows.path)}
    passed = [one for rows in sources for one in (rows.projection, *rows.path)]
    if any(user not in own for one in passed for user in one.users):
        raise Refused("its projections are read elsewhere too")


def mask_of(node: Node, heads: torch.Tensor, edit: Edit) -> Node | None:
    """Return an attention's mask for these heads of it."""
    mask = argument(node, "attn_mask")
    if mask is None or not _for_each_head(mask, shape(node)[1]):
        return mask
    return edit.constant(edit.draft.tensor(mask).index_select(-3, heads), "mask")


def _labels(projection: Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the place (picture and token) and the channel of every number that the
    projection makes.
    """
    sizes, axis = shape(projection), channel_axis(projection)
    rest = [size for position, size in enumerate(sizes) if position != axis]
    place = torch.arange(prod(rest)).reshape(rest).unsqueeze(axis).expand(sizes)
    along = [-1 if position == axis else 1 for position in range(len(sizes))]
    channel = torch.arange(sizes[axis]).reshape(along).expand(sizes)
    return place, channel


def through(view: Node, labels: torch.Tensor) -> torch.Tensor:
    """Do to labels what the view does to values."""
    return run_call(view, labels, *view.args[1:], **view.kwargs)
