"""What a user can do about calls that a format does not take."""

from __future__ import annotations

from collections.abc import Sequence

from torch.fx.node import Node

from edgevit.graph.aten import op, overload
from edgevit.graph.program import origin

_OF_TORCH = frozenset({"aten", "prims", "quantized_decomposed", "torchvision"})


def name_of(node: Node) -> str:
    """Return the operator by the name that its author gave it: `mylib::scan`, and `conv2d` for PyTorch's."""
    target = overload(node)
    if target is None or target.namespace in _OF_TORCH:
        return op(node)
    return f"{target.namespace}::{op(node)}"


def way_out(nodes: Sequence[Node]) -> str:
    """Return what to do about the calls: an operator of the user's own is in no format."""
    own = [n for n in nodes if (target := overload(n)) and target.namespace not in _OF_TORCH]
    if own:
        module = origin(own[0]).module or "MODULE"
        return f"--replace {module}=fast.py:forward, a forward of PyTorch's ops that is compared with the module's own"
    lines = "this line" if len(nodes) == 1 else "these lines"
    return f"write {lines} with other ops, or export with another `--format`"
