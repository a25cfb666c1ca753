"""The batch norm of a program that was decomposed before we got it, as one call again.

    getitem(_native_batch_norm_legit_no_training(x, ...), 0)   ->   batch_norm(x, ..., training=False)

Another kernel computes the same formula, in another order: hence `rtol`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.rewrites.rule import Match, Rule

_PARAMETERS = ("input", "weight", "bias", "running_mean", "running_var")


class RestoreBatchNorm(Rule[Match]):
    name: ClassVar[str] = "restore-batch-norm"
    rtol: ClassVar[float] = 1e-6

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) != "getitem" or node.args[1] != 0:
            return None
        call = node.args[0]
        if isinstance(call, Node) and kind(call) == "_native_batch_norm_legit_no_training":
            return Match(node)
        return None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        call = match.node.args[0]
        assert isinstance(call, Node)
        parameters = [argument(call, name) for name in _PARAMETERS]
        rest = False, argument(call, "momentum"), argument(call, "eps"), False
        return edit.call(torch.ops.aten.batch_norm.default, *parameters, *rest)
