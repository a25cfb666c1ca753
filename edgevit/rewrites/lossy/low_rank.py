"""Linear or 1x1 convolution with a weight of low rank, as two.

    linear(x, W, b)   ->   linear(linear(x, A), B, b)      B A = U_r S_r V_r^T, the r largest of W = U S V^T

The nearest weight of rank r (Eckart and Young 1936), worked out in float64. `low-rank=0.9` keeps in each weight the
fewest singular values that hold 0.9 of the sum of their squares; `low-rank=64` keeps 64. Only where r (in + out) is
below in x out, so that it takes fewer multiply-accumulates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import origin
from edgevit.graph.tensors import singular_values, singular_vectors
from edgevit.rewrites.convolutions.linear_calls import called_with, is_projection
from edgevit.rewrites.engine import apply
from edgevit.rewrites.lossy.option import LossyStep, LossyValueError
from edgevit.rewrites.rule import Match, Refused, Rule


@dataclass(frozen=True)
class LowRank(Rule[Match]):
    """Factoring of weights. `keep` is a rank, or below 1 a share of the energy."""

    keep: float
    name: ClassVar[str] = "low-rank"

    def match(self, node: Node, draft: Draft) -> Match | None:
        done = self.name in origin(node).rules
        return Match(node) if not done and is_projection(node, draft) else None

    def check(self, match: Match, draft: Draft) -> None:
        weight = draft.tensor(argument(match.node, "weight"))
        if not weight.is_floating_point() or not bool(weight.isfinite().all()):
            raise Refused("its weight is not made of finite numbers")
        rows, columns = weight.flatten(1).shape
        if not _saves(1, rows, columns):
            raise Refused(f"of {columns} -> {rows} channels no rank saves anything")
        rank = _rank(singular_values(weight.flatten(1).double()), self.keep)
        if not _saves(rank, rows, columns):
            raise Refused(f"of {columns} -> {rows} channels, rank {rank} saves nothing")

    def rewrite(self, match: Match, edit: Edit) -> Node:
        weight, bias = (argument(match.node, name) for name in ("weight", "bias"))
        first, second = _factors(edit.draft.tensor(weight), self.keep)
        inner = called_with(match.node, first, None, edit)
        bias_tensor = None if bias is None else edit.draft.tensor(bias)
        return _unstrided(match.node, inner, second, bias_tensor, edit)


def low_rank(value: str) -> LossyStep:
    rule = LowRank(_keep(value))
    return lambda program, _: apply(rule, program)


def _keep(value: str) -> float:
    try:
        keep = float(value)
    except ValueError:
        keep = math.nan
    if not (0 < keep < 1 or (value.isdigit() and keep >= 1)):
        raise LossyValueError(
            "its value is a share of the energy between 0 and 1, or a rank: low-rank=0.9, low-rank=64"
        )
    return keep


def _saves(rank: int, rows: int, columns: int) -> bool:
    return rank * (rows + columns) < rows * columns


def _rank(singular: torch.Tensor, keep: float) -> int:
    if keep >= 1:
        return min(int(keep), len(singular))
    energy = singular.square().cumsum(0)
    return min(int((energy < keep * energy[-1]).sum()) + 1, len(singular))


def _factors(weight: torch.Tensor, keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor a weight into two of its own number of axes: linears have two, convolutions more."""
    ones = weight.shape[2:]
    left, singular, right = singular_vectors(weight.flatten(1).double())
    rank = _rank(singular, keep)
    root = singular[:rank].sqrt()  # on both sides alike: neither is hard to hold in fp16
    first = (root[:, None] * right[:rank]).reshape(rank, weight.shape[1], *ones)
    second = (left[:, :rank] * root).reshape(weight.shape[0], rank, *ones)
    return first.to(weight.dtype), second.to(weight.dtype)


def _unstrided(
    node: Node, source: Node, weight: torch.Tensor, bias: torch.Tensor | None, edit: Edit
) -> Node:
    """Build the second call of the two, without a stride, which the first one has taken."""
    return edit.again(
        node,
        source,
        edit.constant(weight, "weight"),
        None if bias is None else edit.constant(bias, "bias"),
    )
