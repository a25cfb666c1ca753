"""Assignment of nodes to ONNX Runtime's execution providers, read from the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgevit.backends.delegation import Delegation, Outside, grouped
from edgevit.backends.onnx.session import open_runtime, providers


def delegation(path: Path) -> Delegation:
    """Return the delegation of the file.

    An op outside is one that the first provider leaves to another. Each piece of the first provider
    is one delegate. The CPU provider takes node by node without handing anything over, so it is one
    delegate.
    """
    first = providers()[0]
    session = open_runtime(path, 0, {"session.record_ep_graph_assignment_info": "1"})
    pieces: Sequence[Any] = session.get_provider_graph_assignment_info()
    inside = [piece for piece in pieces if piece.ep_name == first]
    outside = [
        Outside(node.op_type, node.name, 1, 0)
        for piece in pieces
        if piece.ep_name != first
        for node in piece.get_nodes()
    ]
    delegates = min(len(inside), 1) if first == "CPUExecutionProvider" else len(inside)
    nodes = sum(len(piece.get_nodes()) for piece in inside)
    return Delegation(first, delegates, nodes, grouped(outside))
