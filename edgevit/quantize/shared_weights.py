"""Layers that read one weight, as those of recursive nets do: rounded alike, it is stored once.

Rules that fold something into a weight give each call a constant of its own, so that it is recognised by its numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.program import Program
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.op_traits import PROJECTIONS, is_constant

_FIRST = 8  # numbers by which most weights differ


def sharing(program: Program) -> tuple[tuple[Node, ...], ...]:
    """Return the groups of projections whose weights are the same, of two or more."""
    alike: dict[tuple[object, ...], list[list[Node]]] = defaultdict(list)
    for node in program.calls():
        if kind(node) not in PROJECTIONS or not is_constant(argument(node, "weight"), program):
            continue
        weight = _weight(node, program)
        first = tuple(np.asarray(weight.flatten()[:_FIRST].float()).tolist())
        groups = alike[kind(node), weight.shape, first]
        same = next((one for one in groups if torch.equal(_weight(one[0], program), weight)), None)
        groups.append([node]) if same is None else same.append(node)
    return tuple(tuple(one) for groups in alike.values() for one in groups if len(one) > 1)


def _weight(node: Node, program: Program) -> torch.Tensor:
    return program.constants[str(argument(node, "weight").target)]


def together(moments: Mapping[Node, Moments], groups: Iterable[tuple[Node, ...]]) -> dict[Node, Moments]:  # fmt: skip
    """Return the moments with those of each group as one, of the inputs of all its calls."""
    merged = dict(moments)
    for group in groups:
        each = [moments[node] for node in group if node in moments]
        if len(each) == len(group) and len({one.mean.shape for one in each}) == 1:
            merged |= dict.fromkeys(group, _together(each))
    return merged


def _together(each: list[Moments]) -> Moments:
    count = sum(one.count for one in each)
    mean = sum((one.count / count * one.mean for one in each), np.zeros_like(each[0].mean))
    covariance = np.zeros_like(each[0].covariance)
    for one in each:
        apart = one.mean - mean
        spread = one.covariance + apart[:, :, None] * apart[:, None, :]
        covariance = covariance + one.count / count * spread
    return Moments(mean, covariance, count, shared=True)
