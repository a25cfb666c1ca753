"""Outline of a program for pictures: nodes, their types and edges, and where each comes from.

Constants are no nodes: a picture of weights tells nothing. They stand in the listing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch.fx.node import Node

from edgevit.graph.aten import op
from edgevit.graph.cost import macs
from edgevit.graph.program import Program, origin, value
from edgevit.graph.text import type_text


def outlines(programs: Mapping[str, Program]) -> dict[str, Any]:
    """Return the contents of `graph/outline.json`; `programs` are named by when they were."""
    return {when: [*_entries(program)] for when, program in programs.items()}


def _entries(program: Program) -> Iterator[dict[str, Any]]:
    nodes = [node for node in program.graph.nodes if node.op != "get_attr"]
    places = {node: index for index, node in enumerate(nodes)}
    for node in nodes:
        its = origin(node)
        yield {
            "name": node.name,
            "op": _kind(node),
            "type": "" if node.op == "output" else type_text(value(node)),
            "module": its.module,
            "source": its.source,
            "rules": list(its.rules),
            "inputs": [places[other] for other in node.all_input_nodes if other in places],
            "macs": macs(node) if node.op == "call_function" else 0,
        }


def _kind(node: Node) -> str:
    return {"placeholder": "input", "output": "output"}.get(node.op) or op(node)
