"""Attention masks, and the analysis of whether they may hide every key from a query."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft
from edgevit.graph.program import has_tensor, value

_ALMOST_INFINITE = -1e30  # two such numbers may add up to minus infinity
# Their results are finite if their operands are; otherwise the net's output is not finite anyway.
_FINITE = frozenset(
    [
        "linear",
        "conv1d",
        "conv2d",
        "matmul",
        "bmm",
        "mm",
        "addmm",
        "baddbmm",
        "einsum",
        "sigmoid",
        "tanh",
        "softmax",
        "hardsigmoid",
        "relu",
        "relu6",
        "gelu",
        "silu",
        "hardtanh",
        "layer_norm",
        "batch_norm",
        "group_norm",
        "rms_norm",
        "scaled_dot_product_attention",
        "embedding",
        "mean",
    ]
)
_OF_OPERANDS = frozenset(
    [
        "add",
        "sub",
        "mul",
        "neg",
        "where",
        "masked_fill",
        "reshape",
        "view",
        "permute",
        "transpose",
        "mT",
        "unsqueeze",
        "squeeze",
        "expand",
        "slice",
        "select",
        "index_select",
        "index",
        "gather",
        "cat",
        "stack",
        "split",
        "chunk",
        "getitem",
        "to",
        "_to_copy",
        "contiguous",
        "clone",
        "flatten",
        "unflatten",
        "roll",
        "pad",
        "repeat",
        "unbind",
        "minimum",
        "maximum",
        "clamp",
        "abs",
        "alias",
        "rsub",
        "sum",
        "amax",
        "amin",
        "constant_pad_nd",
    ]
)


def is_open(mask: torch.Tensor) -> bool:
    """Check that every row of the constant mask has a visible key."""
    return bool(rows_that_see(mask).all()) and not bool(mask.isnan().any())


def rows_that_see(mask: torch.Tensor) -> torch.Tensor:
    allowed = mask if mask.dtype == torch.bool else mask != -math.inf
    return allowed.any(-1, keepdim=True)


def may_close(mask: Node, draft: Draft) -> bool:
    """Check for a row of the mask that may be false, or minus infinity, as a whole for some
    input.
    """
    if draft.is_constant(mask):
        return not is_open(draft.tensor(mask))
    return value(mask).dtype == torch.bool or _reaches_infinity(mask, draft)


def _reaches_infinity(mask: Node, draft: Draft) -> bool:
    """Check whether the mask may reach minus infinity, by tracing it back to finite numbers.

    Unknown values may be anything.
    """
    seen: set[Node] = set()
    stack = [mask]
    while stack:
        node = stack.pop()
        if node in seen or not _is_float(node):
            continue
        seen.add(node)
        if draft.is_constant(node):
            if bool((draft.tensor(node) < _ALMOST_INFINITE).any()):
                return True
        elif (kind(node) in _OF_OPERANDS and not any(map(_is_huge, _numbers(node.args)))) or (
            kind(node) == "div" and not isinstance(node.args[1], Node)
        ):
            stack += node.all_input_nodes
        elif kind(node) not in _FINITE:
            return True
    return False


def _is_float(node: Node) -> bool:
    return not has_tensor(node) or value(node).is_floating_point()


def _numbers(args: Any) -> Iterator[float]:
    for item in args:
        if isinstance(item, float):
            yield item
        elif isinstance(item, list | tuple):
            yield from _numbers(item)


def _is_huge(number: float) -> bool:
    return not abs(number) < -_ALMOST_INFINITE
