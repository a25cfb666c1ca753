"""A factor and a term a channel of an image: batch norms, and products and sums with constants."""

from __future__ import annotations

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.convolutions.collapse_linear.form import LinearForm
from edgevit.rewrites.convolutions.collapse_linear.steps import FIRST, linear_input, step_of

_STEPS = {"mul", "div", "add", "sub", "batch_norm"}
_RANK = 4  # an image with its batch


def affine_step(node: Node, draft: Draft) -> LinearForm | None:
    if kind(node) not in _STEPS or linear_input(node) is None or len(shape(node)) != _RANK:
        return None
    return step_of(node, draft, FIRST)


def factors_of(form: LinearForm) -> torch.Tensor:
    return form.kernel().reshape(-1)


def batch_norm(source: Node, factors: torch.Tensor, terms: torch.Tensor, edit: Edit) -> Node:
    """Write a factor and a term a channel as one call."""
    dtype = value(source).dtype
    none = torch.zeros(len(factors), dtype=dtype)
    weight, bias, mean, variance = (
        edit.constant(numbers.to(dtype), name)
        for name, numbers in (
            ("weight", factors),
            ("bias", terms),
            ("mean", none),
            ("variance", none + 1),
        )
    )
    return edit.call(
        torch.ops.aten.batch_norm.default,
        source, weight, bias, mean, variance, False, 0.0, 0.0, False,
    )  # fmt: skip
