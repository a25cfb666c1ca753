"""Error that lists every call that cannot be imported, with its reason and the user's line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.errors import UnsupportedOpError
from edgevit.graph.advice import name_of, way_out
from edgevit.graph.program import origin, value
from edgevit.graph.text import type_text

_SHOWN = 20


@dataclass(frozen=True)
class Reason:
    node: Node
    why: str


def refuse(reasons: Sequence[Reason]) -> None:
    if not reasons:
        return
    counts = Counter(name_of(reason.node) for reason in reasons)
    lines = [_line(reason) for reason in reasons[:_SHOWN]]
    if len(reasons) > _SHOWN:
        lines.append(f"and {len(reasons) - _SHOWN} more")
    raise UnsupportedOpError(
        "there are no integer operations for "
        + ", ".join(f"`{name}` ({count}x)" for name, count in counts.items()),
        where="\n".join(lines),
        why="\n".join(dict.fromkeys(f"`{name_of(r.node)}`: {r.why}" for r in reasons)),
        hint=way_out([reason.node for reason in reasons]),
    )


def _line(reason: Reason) -> str:
    node = reason.node
    inputs = ", ".join(type_text(value(source)) for source in node.all_input_nodes)
    return f"{name_of(node)}({inputs}) -> {type_text(value(node))}   at  {origin(node)}"
