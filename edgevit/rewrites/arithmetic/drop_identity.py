"""Removal of calls that return their input.

    dropout(x), alias(x), detach(x), clone(x), contiguous(x), x.to(same), expand(x, same),
    reshape(x, same), x[:, 0:all], pad(x, 0), x * 1, x / 1, x + 0, max_pool(x, 1)   ->   x
    copy(y, x), which is `y.copy_(x)`                                                ->   x
    cat([x]), cat([nothing, x])                                                      ->   x
    cat([nothing, x, y])                                                             ->   cat([x, y])

The same values come out (0 * NaN and -0.0 + 0 apart: `x + 0` turns -0.0 into 0.0, which compares equal).
"""

from __future__ import annotations

from typing import ClassVar

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape, value
from edgevit.rewrites.rule import SAME_VALUES, Match, Rule

_ALWAYS = frozenset({"alias", "copy", "detach", "clone", "contiguous", "lift_fresh_copy", "lift_fresh", "_to_copy", "to",
                     "type_as", "view_as", "expand", "expand_as", "view", "reshape", "flatten", "squeeze", "unsqueeze"})  # fmt: skip


class DropIdentity(Rule[Match]):
    name: ClassVar[str] = "drop-identity"
    rtol: ClassVar[float] = SAME_VALUES

    def match(self, node: Node, draft: Draft) -> Match | None:
        if kind(node) == "cat":
            return Match(node) if _is_padded_with_nothing(node) else None
        source = _source(node)
        if (
            node.op != "call_function"
            or not isinstance(source, Node)
            or not _same_type(source, node)
        ):
            return None
        return Match(node) if _is_identity(node, draft) else None

    def rewrite(self, match: Match, edit: Edit) -> Node:
        source = _source(match.node)
        if isinstance(source, Node):
            return source
        parts = _parts(match.node)
        return (
            parts[0]
            if len(parts) == 1
            else edit.again(match.node, parts, argument(match.node, "dim"))
        )


def _source(node: Node) -> object:
    """Return the operand that a call may give back."""
    place = 1 if kind(node) == "copy" else 0
    return node.args[place] if len(node.args) > place else None


def _same_type(a: Node, b: Node) -> bool:
    one, other = value(a), value(b)
    return (
        hasattr(one, "dtype")
        and hasattr(other, "dtype")
        and one.dtype == other.dtype
        and shape(a) == shape(b)
    )


def _parts(cat: Node) -> list[Node]:
    """Return the operands that hold something: a cache that is empty is a vector without values."""
    operands = argument(cat, "tensors")
    return [part for part in operands if isinstance(part, Node) and 0 not in shape(part)]


def _is_padded_with_nothing(cat: Node) -> bool:
    parts = _parts(cat)
    alone = len(parts) == 1 and _same_type(parts[0], cat)
    fewer = 1 < len(parts) < len(argument(cat, "tensors")) and all(
        value(part).dtype == value(cat).dtype for part in parts
    )
    return alone or fewer


def _is_identity(node: Node, draft: Draft) -> bool:
    """Check for an identity, for a call whose input and output have one shape and dtype."""
    name = kind(node)
    if name in _ALWAYS:
        return True
    if name in {"constant_pad_nd", "pad"}:
        return not any(argument(node, "pad"))  # (1, -1) keeps the size and shifts the image
    if name == "slice":
        return argument(node, "step") == 1
    if name in {"dropout", "feature_dropout", "alpha_dropout", "native_dropout"}:
        return has_argument(node, "train") and not argument(node, "train")
    if name in {"mul", "div"}:
        return _is_number(node.args[1], 1, draft) and not node.kwargs
    if name in {"add", "sub"}:
        return _is_number(node.args[1], 0, draft)
    if name in {"max_pool2d", "avg_pool2d"}:
        return (
            set(argument(node, "kernel_size")) == {1}
            and set(argument(node, "stride") or [1]) == {1}
            and not (name == "avg_pool2d" and argument(node, "divisor_override"))
        )
    return name == "permute" and list(argument(node, "dims")) == list(range(len(shape(node))))


def _is_number(operand: object, number: int, draft: Draft) -> bool:
    if isinstance(operand, Node):
        return draft.is_constant(operand) and bool((draft.tensor(operand) == number).all())
    return isinstance(operand, int | float) and operand == number
