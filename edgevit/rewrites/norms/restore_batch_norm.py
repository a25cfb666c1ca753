"""Normalisation by stored statistics, as a batch norm.

    getitem(_native_batch_norm_legit_no_training(x, ...), 0)   ->   batch_norm(x, ..., training=False)
    instance_norm(x, ..., use_input_stats=False)               ->   batch_norm(x, ..., training=False)

The first is the batch norm of a program that was decomposed before we got it. The second is an instance norm
that tracks its statistics, which coremltools would convert as one that does not. Another kernel computes the
same formula, in another order: hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.rule import Match, Rule

_PARAMETERS = ("input", "weight", "bias", "running_mean", "running_var")


class RestoreBatchNorm(Rule[Match]):
    name: ClassVar[str] = "restore-batch-norm"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        return Match(node) if _norm_call(node) is not None else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        call = _norm_call(match.node)
        assert call is not None
        parameters = [argument(call, name) for name in _PARAMETERS]
        rest = False, argument(call, "momentum"), argument(call, "eps"), False
        return edit.call(torch.ops.aten.batch_norm.default, *parameters, *rest)


def _norm_call(node: Node) -> Node | None:
    """Return the call that holds the parameters."""
    if kind(node) == "instance_norm":
        return None if argument(node, "use_input_stats") else node
    if kind(node) != "getitem" or node.args[1] != 0:
        return None
    call = operand(node)
    return call if kind(call) == "_native_batch_norm_legit_no_training" else None
