"""All rewrites of an integer graph, in order."""

from __future__ import annotations

from edgevit.integer.graph import IntegerGraph
from edgevit.integer.rewrites.fold_padding import fold_padding
from edgevit.integer.rewrites.split_stacks import split_stacks


def rewritten(graph: IntegerGraph) -> IntegerGraph:
    return fold_padding(split_stacks(graph))
