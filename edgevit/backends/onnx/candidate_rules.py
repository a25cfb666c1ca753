"""onnxscript's rewrite rules, each tried only at nodes of the operator that its pattern ends in.

Its rewriter prepares a match of each of a hundred rules at every node, and most fail at the operator:
a third of the conversion of a large net.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from edgevit.backends.session import load_library


@contextmanager
def candidate_rules_only() -> Iterator[None]:
    rewriter = load_library("onnxscript.rewriter._rewrite_rule", "onnx")
    simple = load_library("onnxscript.rewriter._matcher", "onnx").SimplePatternMatcher
    usual = rewriter.RewriteRule.try_rewrite
    last: dict[Any, str | None] = {}

    def tried(rule: Any, model: Any, graph: Any, node: Any, **options: Any) -> Any:
        if rule not in last:
            last[rule] = _last_operator(rule, simple)
        if last[rule] not in (None, node.op_type):
            return None
        return usual(rule, model, graph, node, **options)

    with patch.object(rewriter.RewriteRule, "try_rewrite", tried):
        yield


def _last_operator(rule: Any, simple: type) -> str | None:
    """Return the operator of a pattern's first output, where a match begins; None if it may be any."""
    pattern = getattr(rule, "_target_pattern", None)
    if type(getattr(rule, "_matcher", None)) is not simple or pattern is None:
        return None
    operator: tuple[str, str, str] | None = pattern.output_nodes[0].op_identifier()
    return operator[1] if operator else None
