"""Functions of integers as functions of floats.

    sqrt(i)   ->   sqrt(float(i))                    i of integers or booleans, the result of floats

PyTorch promotes so itself. Converters hand the integers on, and runtimes refuse them or compute in integers.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import function_of, kind, mapped_arguments, overload
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import value
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_FUNCTIONS = frozenset({
    "acos", "acosh", "angle", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "div",
    "erf", "erfc", "exp", "exp2", "expm1", "hypot", "lgamma", "log", "log10", "log1p", "log2",
    "logaddexp", "logaddexp2", "logit", "logsumexp", "reciprocal", "rsqrt", "sigmoid", "sin",
    "sinc", "sinh", "sqrt", "tan", "tanh", "true_divide",
})  # fmt: skip


class PromoteIntegers(Rule[Match]):
    name: ClassVar[str] = "promote-integers"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _FUNCTIONS or overload(node) is None:
            return None
        sources = [value(source).dtype for source in node.all_input_nodes]
        of_integers = not any(d.is_floating_point or d.is_complex for d in sources)
        return Match(node) if of_integers and value(node).dtype == torch.float32 else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        def promoted(source: Node) -> Node:
            return edit.call(torch.ops.aten.to.dtype, source, torch.float32)

        args, kwargs = mapped_arguments(match.node, promoted)
        return edit.call(function_of(match.node), *args, **kwargs)
