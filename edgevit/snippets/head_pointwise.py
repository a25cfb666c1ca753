"""Forms of heads' operators that compute each value from those at its own place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind
from edgevit.snippets.head_loops import (
    KINDS,
    HeadArray,
    HeadValue,
    HeadWriter,
    NoLoopsError,
    Result,
    Rule,
    binary,
    call,
    cast,
    index_of,
    kind_of,
    local,
    number,
    select,
    strides_of,
)  # fmt: skip


def same(w: HeadWriter, node: Node) -> HeadArray:
    source, result = w.array(node.args[0]), node.meta["val"]
    if kind_of(result) == source.kind:
        return HeadArray(source.name, source.kind, tuple(result.shape))
    return w.pointwise(node, lambda at: w.operand(node.args[0], at))


def function_of_one(value: Callable[[HeadValue], HeadValue], floats: bool = True) -> Rule:
    def rule(w: HeadWriter, node: Node) -> HeadArray:
        def at(places: list[str]) -> HeadValue:
            x = w.operand(node.args[0], places)
            return value(cast(x, "f") if floats else x)

        return w.pointwise(node, at)

    return rule


def one_of(x: HeadValue) -> HeadValue:
    return number(1, x.kind)


def sigmoid(x: HeadValue) -> HeadValue:
    below = binary("+", one_of(x), call("exp", binary("-", number(0, "f"), x, "f")), "f")
    return binary("/", one_of(x), below, "f")


def sign(x: HeadValue) -> HeadValue:
    zero, one, less = number(0, x.kind), one_of(x), number(-1, x.kind)
    return select(binary(">", x, zero, "b"), one, select(binary("<", x, zero, "b"), less, zero))


def promoted(node: Node, one: Any, other: Any) -> str:
    meta = [x.meta["val"] if isinstance(x, Node) else x for x in (one, other)]
    dtype = torch.result_type(*meta)
    if dtype not in KINDS:
        raise NoLoopsError(str(dtype))
    return KINDS[dtype]


def pair_of(value: Callable[[HeadValue, HeadValue], HeadValue], floats: bool = False) -> Rule:
    def rule(w: HeadWriter, node: Node) -> HeadArray:
        one, other = node.args[:2]
        to = "f" if floats else promoted(node, one, other)
        alpha: Any = argument(node, "alpha") if has_argument(node, "alpha") else 1

        def at(places: list[str]) -> HeadValue:
            left, right = (cast(w.operand(x, places), to) for x in (one, other))
            if alpha != 1:
                right = binary("*", right, number(alpha, to), to)
            return value(left, right)

        return w.pointwise(node, at)

    return rule


def signed(sign: str) -> Callable[[HeadValue, HeadValue], HeadValue]:
    return lambda x, y: binary(sign, x, y, x.kind)


def compared(sign: str) -> Callable[[HeadValue, HeadValue], HeadValue]:
    return lambda x, y: binary(sign, x, y, "b")


def smaller(x: HeadValue, y: HeadValue) -> HeadValue:
    return select(binary("<", x, y, "b"), x, y)


def larger(x: HeadValue, y: HeadValue) -> HeadValue:
    return select(binary(">", x, y, "b"), x, y)


def floored(x: HeadValue, y: HeadValue) -> HeadValue:
    return cast(call("floor", binary("/", cast(x, "d"), cast(y, "d"), "d")), x.kind)


def remainder(x: HeadValue, y: HeadValue) -> HeadValue:
    return binary("-", x, binary("*", floored(x, y), y, x.kind), x.kind)


def power(x: HeadValue, y: HeadValue) -> HeadValue:
    return cast(call("pow", cast(x, "d"), cast(y, "d")), x.kind)


def divided(w: HeadWriter, node: Node) -> Result:
    mode = argument(node, "rounding_mode") if has_argument(node, "rounding_mode") else None
    if mode == "floor":
        return pair_of(floored)(w, node)
    quotient = signed("/")
    value = (lambda x, y: call("trunc", quotient(x, y))) if mode else quotient
    return pair_of(value, floats=True)(w, node)


def reversed(w: HeadWriter, node: Node) -> HeadArray:
    alpha: Any = argument(node, "alpha")
    to = promoted(node, *node.args[:2])

    def at(places: list[str]) -> HeadValue:
        x, y = (cast(w.operand(part, places), to) for part in node.args[:2])
        return binary("-", y, binary("*", x, number(alpha, to), to), to)

    return w.pointwise(node, at)


def where(w: HeadWriter, node: Node) -> HeadArray:
    condition, one, other = node.args
    if kind(node) == "masked_fill":
        condition, one, other = node.args[1], node.args[2], node.args[0]
    to = kind_of(node.meta["val"])
    return w.pointwise(
        node,
        lambda at: select(cast(w.operand(condition, at), "b"), cast(w.operand(one, at), to), cast(w.operand(other, at), to)),
    )  # fmt: skip


def clamped(w: HeadWriter, node: Node) -> HeadArray:
    to = kind_of(node.meta["val"])

    def at(places: list[str]) -> HeadValue:
        x = cast(w.operand(node.args[0], places), to)
        for name, choose in (("min", larger), ("max", smaller)):
            limit = argument(node, name) if has_argument(node, name) else None
            x = x if limit is None else choose(x, cast(w.operand(limit, places), to))
        return x

    return w.pointwise(node, at)


def rounded(w: HeadWriter, node: Node) -> Result:
    if has_argument(node, "decimals") and argument(node, "decimals"):
        raise NoLoopsError("round to decimals")
    return function_of_one(lambda x: call("round", x))(w, node)


def expanded(w: HeadWriter, node: Node) -> HeadArray:
    return w.pointwise(node, lambda at: w.operand(node.args[0], at))


def repeated(w: HeadWriter, node: Node) -> HeadArray:
    source = w.array(node.args[0])
    strides = strides_of(source.shape)

    def at(places: list[str]) -> HeadValue:
        near = places[len(places) - len(strides) :]
        wrapped = [f"({p} % {n})" if p != "0" and n != 1 else "0" for p, n in zip(near, source.shape, strict=True)]  # fmt: skip
        return source.load(index_of(wrapped, strides))

    return w.pointwise(node, at)


def counted(w: HeadWriter, node: Node) -> HeadArray:
    start, step = (argument(node, n) if has_argument(node, n) else d for n, d in (("start", 0), ("step", 1)))  # fmt: skip
    to = kind_of(node.meta["val"])
    return w.pointwise(
        node,
        lambda at: binary("+", number(start, to), binary("*", cast(local(at[0], "n"), to) if at[0] != "0" else number(0, to), number(step, to), to), to),
    )  # fmt: skip


def filled(value: float | None) -> Any:
    def rule(w: HeadWriter, node: Node) -> HeadArray:
        filling = argument(node, "fill_value") if value is None else value
        return w.pointwise(node, lambda at: w.operand(filling, at))

    return rule
