"""Part of the net that the NPU takes, as its compiler says, with the user's lines."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgevit.backends.delegation import Delegation, Outside, grouped, left_outside
from edgevit.backends.qnn.compiler import Compiled, Node

_COPY = re.compile(r"_token_[0-9]+$")  # behind the names of nodes in another layout
_PAIRS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def delegation(compiled: Compiled, places: Mapping[str, str]) -> Delegation:
    """`places`: of the user's code, by the name of the ONNX node."""
    outside = [Outside(node.op, _place(node, places), 1, 0) for node in compiled.rest]
    inside = sum(node.op not in _PAIRS for piece in compiled.pieces for node in piece)
    return Delegation("the Hexagon NPU", len(compiled.pieces), inside, grouped(outside))


def require_npu(delegation: Delegation, compiled: Compiled) -> None:
    """Refuse a net that is not one graph of the NPU."""
    if not delegation.outside and delegation.delegates == 1:
        return
    reasons = [f"{name}: {why}" for name, why in compiled.reasons.items() if why]
    message = (
        f"{delegation.ops_outside} ops stay on the CPU; the NPU takes the rest in "
        f"{delegation.delegates} pieces"
    )
    raise left_outside(delegation, message, "\n".join(["--require-npu was given", *reasons[:8]]))


def _place(node: Node, places: Mapping[str, str]) -> str:
    name = _COPY.sub("", node.name)
    return places.get(name) or name
