"""Operators of heads as loops over arrays: one description, which every language without tensors is written from.

    boxes = anchors - near     ->     for i0 in 0..<2, for i1 in 0..<80: v_sub[i0 * 80 + i1] = v_anchors[...] - v_near[...]

A tensor is an array of its values, row by row. Views of all of a tensor are the same array. Indices are text: sums and products
of whole numbers are written alike in C, Swift and Kotlin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.graph.aten import kind

KINDS = {
    torch.float32: "f",
    torch.int64: "i",
    torch.bool: "b",
}  # beside n, a place, and d, a double


@dataclass(frozen=True)
class HeadValue:
    """An expression: its form, what it is made of, and its kind."""

    form: str  # number, local, load, binary, call, select, cast, not
    kind: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class HeadArray:
    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)

    def load(self, index: str) -> HeadValue:
        return HeadValue("load", self.kind, (self.name, index or "0"))


@dataclass(frozen=True)
class HeadStep:
    """A statement: block, loop (name, count, body), store, let, set, if, order."""

    form: str
    parts: tuple[Any, ...]


Steps = list[HeadStep]
Body = Callable[[list[str]], Steps]


class NoLoopsError(Exception):
    """A call that has no description as loops."""


def number(value: float, kind: str) -> HeadValue:
    return HeadValue("number", kind, (value,))


def local(name: str, kind: str) -> HeadValue:
    return HeadValue("local", kind, (name,))


def binary(sign: str, one: HeadValue, other: HeadValue, kind: str) -> HeadValue:
    return HeadValue("binary", kind, (sign, one, other))


def call(name: str, *values: HeadValue) -> HeadValue:
    return HeadValue("call", values[0].kind, (name, *values))


def select(condition: HeadValue, one: HeadValue, other: HeadValue) -> HeadValue:
    return HeadValue("select", one.kind, (condition, one, other))


def cast(value: HeadValue, to: str) -> HeadValue:
    if value.kind == to:
        return value
    if value.form == "number":
        number_of = {"f": float, "d": float, "i": int, "n": int, "b": bool}[to]
        return number(number_of(value.parts[0]), to)
    if value.kind == "b":
        return select(value, number(1, to), number(0, to))
    if to == "b":
        return binary("!=", value, number(0, value.kind), "b")
    return HeadValue("cast", to, (value,))


def store(array: HeadArray, index: str, value: HeadValue) -> HeadStep:
    return HeadStep("store", (array.name, index or "0", cast(value, array.kind)))


def let(name: str, value: HeadValue) -> HeadStep:
    return HeadStep("let", (name, value))


def assign(name: str, value: HeadValue) -> HeadStep:
    return HeadStep("set", (name, value))


def strides_of(shape: Sequence[int]) -> list[int]:
    return [prod(shape[k + 1 :]) for k in range(len(shape))]


def index_of(places: Sequence[str], strides: Sequence[int], offset: int = 0) -> str:
    terms = [f"{place} * {stride}" if stride != 1 else place for place, stride in zip(places, strides, strict=True) if stride and place != "0"]  # fmt: skip
    return " + ".join([*terms, *([str(offset)] if offset or not terms else [])])


def loops(shape: Sequence[int], body: Body, prefix: str = "i") -> Steps:
    """Return nested loops over all places; an axis of one has none."""
    places = [f"{prefix}{k}" if extent != 1 else "0" for k, extent in enumerate(shape)]
    steps = body(places)
    for place, extent in reversed(list(zip(places, shape, strict=True))):
        steps = [HeadStep("loop", (place, extent, steps))] if place != "0" else steps
    return steps


Result = HeadArray | tuple[HeadArray, ...]
Rule = Callable[["HeadWriter", Node], Result]


class HeadWriter:
    """Arrays and statements of a head, call by call."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.arrays: dict[str, HeadArray] = {}  # that the head computes
        self.values: dict[Node, Result] = {}
        self.steps: Steps = []

    def add(self, node: Node) -> None:
        rule = self.rules.get(kind(node))
        if rule is None:
            raise NoLoopsError(kind(node))
        start = len(self.steps)
        self.values[node] = rule(self, node)
        steps = self.steps[start:]
        if any(step.form == "let" for step in steps):  # names of one call are no other's
            self.steps[start:] = [HeadStep("block", (steps,))]

    def array(self, node: Any) -> HeadArray:
        array = self.values.get(node) if isinstance(node, Node) else None
        if not isinstance(array, HeadArray):
            raise NoLoopsError(str(node))
        return array

    def make(self, node: Node, part: int | None = None) -> HeadArray:
        meta = node.meta["val"] if part is None else node.meta["val"][part]
        suffix = "" if part is None else f"_{part}"
        return self.scratch(f"v_{node.name}{suffix}", kind_of(meta), tuple(meta.shape))

    def scratch(self, name: str, kind: str, shape: tuple[int, ...]) -> HeadArray:
        self.arrays[name] = HeadArray(name, kind, shape)
        return self.arrays[name]

    def operand(self, node: Any, places: Sequence[str]) -> HeadValue:
        """Return an operand at a place of the result, over which it is spread."""
        if not isinstance(node, Node):
            return number(node, "b" if isinstance(node, bool) else "i" if isinstance(node, int) else "f")  # fmt: skip
        array = self.array(node)
        strides = [s if n != 1 else 0 for s, n in zip(strides_of(array.shape), array.shape, strict=True)]  # fmt: skip
        return array.load(index_of(places[len(places) - len(strides) :], strides))

    def pointwise(self, node: Node, value: Callable[[list[str]], HeadValue]) -> HeadArray:
        out = self.make(node)
        strides = strides_of(out.shape)
        self.steps += loops(out.shape, lambda at: [store(out, index_of(at, strides), value(at))])
        return out

    def moved(
        self, out: HeadArray, source: HeadArray, strides: Sequence[int], offset: int = 0
    ) -> HeadArray:
        own = strides_of(out.shape)
        self.steps += loops(
            out.shape,
            lambda at: [store(out, index_of(at, own), source.load(index_of(at, strides, offset)))],
        )
        return out


def kind_of(tensor: torch.Tensor) -> str:
    if tensor.dtype not in KINDS:
        raise NoLoopsError(str(tensor.dtype))
    return KINDS[tensor.dtype]
