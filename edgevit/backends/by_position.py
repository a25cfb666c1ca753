"""Positional form of a call with all its arguments, as TorchScript wrote calls.

    cosine_similarity(x, y)   ->   cosine_similarity(x, y, 1, 1e-8)

Some of coremltools' converters still require it, and fail on the call that `torch.export` writes.
"""

from __future__ import annotations

import torch
from torch.fx.node import Node


def leaves_some_out(node: Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and len(node.args) < len(
        target._schema.arguments
    )


def spell_by_position(node: Node) -> None:
    """Rewrite the call in place so that all its arguments are positional.

    The call is then valid for coremltools only, as torch requires keyword-only arguments by name.
    """
    target = node.target
    assert isinstance(target, torch._ops.OpOverload)
    named = dict(node.kwargs)
    rest = target._schema.arguments[len(node.args) :]
    node.args = (*node.args, *(named.get(spec.name, spec.default_value) for spec in rest))
    node.kwargs = {}
