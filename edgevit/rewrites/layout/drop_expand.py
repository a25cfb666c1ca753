"""Elementwise calls that broadcast by themselves, without an explicit expansion of their
inputs.

    mul(x, expand(y, shape of x))   ->   mul(x, y)

The same values. Runtimes copy for an expansion, and converters move transposes past it and lose count of the axes.
"""

from __future__ import annotations

from typing import ClassVar

from torch.fx.node import Node, map_arg

from edgevit.graph.aten import kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.graph.tensors import broadcast
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_BROADCAST = frozenset({
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "where", "atan2", "fmod", "remainder",
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor",
    "bitwise_and", "bitwise_or", "bitwise_xor", "addcmul", "addcdiv", "lerp",
})  # fmt: skip


class DropExpand(Rule[Match]):
    name: ClassVar[str] = "drop-expand"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) not in _BROADCAST:
            return None
        sources = [_unexpanded(read) for read in node.all_input_nodes]
        if sources == node.all_input_nodes:
            return None
        alike = broadcast(*map(shape, sources)) == shape(node)
        return Match(node) if alike else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        node = match.node
        arguments = map_arg(node.args, _unexpanded)
        return edit.again(node, *arguments, **node.kwargs)


def _unexpanded(node: Node) -> Node:
    """Return the value before an expansion.

    A 0-d tensor stays expanded: it would count as a number, and not decide the type of the result.
    """
    source = node.args[0] if kind(node) == "expand" else node
    return source if isinstance(source, Node) and shape(source) else node
