"""Forms of heads' operators as loops: those that move, order and add up values, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind
from edgevit.snippets.head_loops import (
    Body,
    HeadArray,
    HeadStep,
    HeadValue,
    HeadWriter,
    NoLoopsError,
    Result,
    Rule,
    Steps,
    assign,
    binary,
    call,
    cast,
    index_of,
    let,
    local,
    loops,
    number,
    store,
    strides_of,
)  # fmt: skip
from edgevit.snippets.head_pointwise import (
    clamped,
    compared,
    counted,
    divided,
    expanded,
    filled,
    floored,
    function_of_one,
    larger,
    one_of,
    pair_of,
    power,
    remainder,
    repeated,
    reversed,
    rounded,
    same,
    sigmoid,
    sign,
    signed,
    smaller,
    where,
)  # fmt: skip


def _permuted(w: HeadWriter, node: Node) -> HeadArray:
    source = w.array(node.args[0])
    rank = len(source.shape)
    order = list(range(rank))
    if kind(node) == "permute":
        order = [axis % rank for axis in argument(node, "dims")]
    elif kind(node) == "transpose":
        one, other = (argument(node, name) % rank for name in ("dim0", "dim1"))
        order[one], order[other] = order[other], order[one]
    elif rank > 1:
        order[-1], order[-2] = order[-2], order[-1]
    strides = strides_of(source.shape)
    return w.moved(w.make(node), source, [strides[axis] for axis in order])


def _cut(w: HeadWriter, node: Node) -> HeadArray:
    source = w.array(node.args[0])
    axis, strides = argument(node, "dim") % len(source.shape), strides_of(source.shape)
    extent, step = source.shape[axis], 1
    if kind(node) == "slice":
        parts = (argument(node, name) for name in ("start", "end", "step"))
        start, _, step = slice(*parts).indices(extent)
    else:
        start = argument(node, "index" if kind(node) == "select" else "start") % max(extent, 1)
    offset = start * strides[axis]
    strides[axis] *= step
    if kind(node) == "select":
        del strides[axis]
    return w.moved(w.make(node), source, strides, offset)


def _split(w: HeadWriter, node: Node) -> tuple[HeadArray, ...]:
    source = w.array(node.args[0])
    axis, strides = argument(node, "dim") % len(source.shape), strides_of(source.shape)
    rows = [s for k, s in enumerate(strides) if k != axis] if kind(node) == "unbind" else strides
    outs, start = [], 0
    for part in range(len(node.meta["val"])):
        out = w.make(node, part)
        outs.append(w.moved(out, source, rows, start * strides[axis]))
        start += 1 if kind(node) == "unbind" else out.shape[axis]
    return tuple(outs)


def _joined(w: HeadWriter, node: Node) -> HeadArray:
    out = w.make(node)
    axis, strides, start = argument(node, "dim") % len(out.shape), strides_of(out.shape), 0
    for tensor in argument(node, "tensors"):
        source = w.array(tensor)
        shape = list(source.shape)
        if kind(node) == "stack":
            shape.insert(axis, 1)
        own, offset = strides_of(shape), start * strides[axis]
        w.steps += loops(shape, _copy(out, strides, offset, source, own))
        start += shape[axis]
    return out


def _copy(
    out: HeadArray, strides: list[int], offset: int, source: HeadArray, own: list[int]
) -> Body:
    return lambda at: [store(out, index_of(at, strides, offset), source.load(index_of(at, own)))]


def _flipped(w: HeadWriter, node: Node) -> HeadArray:
    source = w.array(node.args[0])
    strides, offset = strides_of(source.shape), 0
    for axis in argument(node, "dims"):
        offset += strides[axis] * (source.shape[axis] - 1)
        strides[axis] = -strides[axis]
    return w.moved(w.make(node), source, strides, offset)


def _place(w: HeadWriter, index: HeadArray, at: str, extent: int, name: str) -> Steps:
    """Declare a place that is read from an array; negative ones are counted from the end."""
    place = let(name, cast(index.load(at), "n"))
    below = binary("<", local(name, "n"), number(0, "n"), "b")
    again = assign(name, binary("+", local(name, "n"), number(extent, "n"), "n"))
    return [place, HeadStep("if", (below, [again]))]


def _gathered(w: HeadWriter, node: Node) -> HeadArray:
    source, index, out = w.array(node.args[0]), w.array(argument(node, "index")), w.make(node)
    axis, strides = argument(node, "dim") % len(source.shape), strides_of(source.shape)
    own = strides_of(out.shape)
    only = kind(node) == "index_select"

    def body(at: list[str]) -> Steps:
        places = [*at[:axis], "place", *at[axis + 1 :]]
        where = at[axis] if only else index_of(at, own)
        return [
            *_place(w, index, where, source.shape[axis], "place"),
            store(out, index_of(at, own), source.load(index_of(places, strides))),
        ]

    w.steps += loops(out.shape, body)
    return out


def _indexed(w: HeadWriter, node: Node) -> HeadArray:
    source, out = w.array(node.args[0]), w.make(node)
    indices = [None if one is None else w.array(one) for one in argument(node, "indices")]
    indices += [None] * (len(source.shape) - len(indices))
    axes = [k for k, one in enumerate(indices) if one is not None]
    if any(one is not None and one.kind != "i" for one in indices):
        raise NoLoopsError("index by a mask")
    rank = max(len(one.shape) for one in indices if one is not None)
    first = axes[0] if all(b - a == 1 for a, b in pairwise(axes)) else 0
    own, strides = strides_of(out.shape), strides_of(source.shape)

    def body(at: list[str]) -> Steps:
        chosen, others = at[first : first + rank], iter(at[:first] + at[first + rank :])
        steps, places = [], []
        for k, one in enumerate(indices):
            places.append(next(others) if one is None else f"place{k}")
            if one is not None:
                spread = [s if n != 1 else 0 for s, n in zip(strides_of(one.shape), one.shape, strict=True)]  # fmt: skip
                where = index_of(chosen[rank - len(spread) :], spread)
                steps += _place(w, one, where, source.shape[k], f"place{k}")
        return [*steps, store(out, index_of(at, own), source.load(index_of(places, strides)))]

    w.steps += loops(out.shape, body)
    return out


def _apart(source: HeadArray, axes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the shape with the axes as one, and with all others as one: what is looped over."""
    outer = [1 if k in axes else n for k, n in enumerate(source.shape)]
    return outer, [n if k in axes else 1 for k, n in enumerate(source.shape)]


def _axes(node: Node, rank: int) -> list[int]:
    axes: Any = argument(node, "dim") if has_argument(node, "dim") else None
    if axes is None or axes == []:
        return list(range(rank))
    return [axis % max(rank, 1) for axis in (axes if isinstance(axes, list | tuple) else [axes])]


def _both(outer: list[str], inner: list[str]) -> list[str]:
    return [one if one != "0" else other for one, other in zip(outer, inner, strict=True)]


def _summed(w: HeadWriter, node: Node) -> HeadArray:
    source, out = w.array(node.args[0]), w.make(node)
    outer, inner = _apart(source, _axes(node, len(source.shape)))
    strides, own = strides_of(source.shape), strides_of(outer)
    whole = out.kind == "i"
    to, total = ("i", local("total", "i")) if whole else ("d", local("total", "d"))

    def body(at: list[str]) -> Steps:
        add = lambda k: [assign("total", binary("+", total, cast(source.load(index_of(_both(at, k), strides)), to), to))]  # noqa: E731  # fmt: skip
        value = binary("/", total, number(prod(inner), "d"), "d") if kind(node) == "mean" else total
        return [let("total", number(0, to)), *loops(inner, add, "k"), store(out, index_of(at, own), value)]  # fmt: skip

    w.steps += loops(outer, body)
    return out


def _extreme(sign: str) -> Any:
    def rule(w: HeadWriter, node: Node) -> Result:
        if has_argument(node, "other"):
            return pair_of(larger if sign == ">" else smaller)(w, node)
        source = w.array(node.args[0])
        axes = _axes(node, len(source.shape))
        outer, inner = _apart(source, axes)
        strides, own = strides_of(source.shape), strides_of(outer)
        pair = isinstance(node.meta["val"], list | tuple)
        places = kind(node).startswith("arg")
        outs = tuple(w.make(node, k) for k in range(2)) if pair else (w.make(node),)
        flat = strides_of(inner)
        counters = [let("place", number(0, "n"))] if pair or places else []
        best, at_best = local("best", source.kind), local("place", "n")

        def body(at: list[str]) -> Steps:
            def step(k: list[str]) -> Steps:
                x = source.load(index_of(_both(at, k), strides))
                better = [assign("best", x)]
                if counters:
                    better.append(assign("place", local(index_of(k, flat), "n")))
                return [HeadStep("if", (binary(sign, x, best, "b"), better))]

            first = source.load(index_of(at, strides))
            ends = [store(outs[0], index_of(at, own), cast(at_best, "i") if places else best)]
            if pair:
                ends.append(store(outs[-1], index_of(at, own), cast(at_best, "i")))
            return [let("best", first), *counters, *loops(inner, step, "k"), *ends]  # fmt: skip

        if source.kind == "b":
            raise NoLoopsError("the largest of booleans")
        w.steps += loops(outer, body)
        return outs if pair else outs[0]

    return rule


def _softmax(w: HeadWriter, node: Node) -> HeadArray:
    source, out = w.array(node.args[0]), w.make(node)
    outer, inner = _apart(source, [argument(node, "dim") % len(source.shape)])
    strides = strides_of(source.shape)
    most, total = local("most", "f"), local("total", "d")

    def body(at: list[str]) -> Steps:
        here = lambda k: index_of(_both(at, k), strides)  # noqa: E731
        largest = lambda k: [assign("most", larger(source.load(here(k)), most))]  # noqa: E731
        power = lambda k: call("exp", binary("-", source.load(here(k)), most, "f"))  # noqa: E731
        add = lambda k: [store(out, here(k), power(k)), assign("total", binary("+", total, cast(out.load(here(k)), "d"), "d"))]  # noqa: E731  # fmt: skip
        part = lambda k: [store(out, here(k), binary("/", out.load(here(k)), cast(total, "f"), "f"))]  # noqa: E731  # fmt: skip
        return [let("most", source.load(index_of(at, strides))), *loops(inner, largest, "k"), let("total", number(0, "d")), *loops(inner, add, "k"), *loops(inner, part, "k")]  # fmt: skip

    w.steps += loops(outer, body)
    return out


def _ordered(w: HeadWriter, node: Node) -> Result:
    source = w.array(node.args[0])
    axis = argument(node, "dim") % len(source.shape)
    descending = argument(node, "largest" if kind(node) == "topk" else "descending")
    outer, inner = _apart(source, [axis])
    count = source.shape[axis]
    keys, order, spare = (w.scratch(f"{name}_{node.name}", to, (count,)) for name, to in (("keys", "d"), ("order", "n"), ("spare", "n")))  # fmt: skip
    pair = kind(node) != "argsort"
    outs = (w.make(node, 0), w.make(node, 1)) if pair else (w.make(node),)
    strides, own = strides_of(source.shape), strides_of(outs[0].shape)
    taken = [n if k == axis else 1 for k, n in enumerate(outs[0].shape)]

    def body(at: list[str]) -> Steps:
        def key(k: list[str]) -> Steps:
            x = cast(source.load(index_of(_both(at, k), strides)), "d")
            x = binary("-", number(0, "d"), x, "d") if descending else x
            return [store(keys, k[axis], x)]

        def take(k: list[str]) -> Steps:
            where = index_of(_both(at, k), own)
            places = [*at]
            places[axis] = "place"
            ends = [store(outs[-1], where, cast(local("place", "n"), "i"))]
            if pair:
                ends.append(store(outs[0], where, source.load(index_of(places, strides))))
            return [let("place", order.load(k[axis])), *ends]

        sort = HeadStep("order", (keys.name, order.name, spare.name, count))
        return [*loops(inner, key, "k"), sort, *loops(taken, take, "k")]

    w.steps += loops(outer, body)
    return outs if pair else outs[0]


def _cumulated(w: HeadWriter, node: Node) -> HeadArray:
    source, out = w.array(node.args[0]), w.make(node)
    outer, inner = _apart(source, [argument(node, "dim") % len(source.shape)])
    strides, to = strides_of(source.shape), "i" if out.kind == "i" else "d"

    def body(at: list[str]) -> Steps:
        here = lambda k: index_of(_both(at, k), strides)  # noqa: E731
        total = local("total", to)
        add = lambda k: [assign("total", binary("+", total, cast(source.load(here(k)), to), to)), store(out, here(k), total)]  # noqa: E731  # fmt: skip
        return [let("total", number(0, to)), *loops(inner, add, "k")]

    w.steps += loops(outer, body)
    return out


def _item(w: HeadWriter, node: Node) -> HeadArray:
    parts: Any = w.values[node.args[0]]  # type: ignore[index]
    return parts[node.args[1]]


RULES: dict[str, Rule] = {
    **{name: function_of_one(lambda x, name=name: call(name, x)) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "floor", "ceil")},
    **dict.fromkeys(("clone", "contiguous", "alias", "detach", "to", "_to_copy", "lift_fresh_copy", "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze"), same),
    **dict.fromkeys(("split", "chunk", "split_with_sizes", "tensor_split", "unbind"), _split),
    **dict.fromkeys(("permute", "transpose", "mT", "t", "numpy_T"), _permuted),
    **dict.fromkeys(("slice", "select", "narrow"), _cut),
    **dict.fromkeys(("topk", "sort", "argsort"), _ordered),
    **dict.fromkeys(("max", "amax", "argmax"), _extreme(">")),
    **dict.fromkeys(("min", "amin", "argmin"), _extreme("<")),
    **{name: pair_of(compared(sign)) for name, sign in {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}.items()},
    "abs": function_of_one(lambda x: larger(x, binary("-", number(0, x.kind), x, x.kind)), floats=False),
    "neg": function_of_one(lambda x: binary("-", number(0, x.kind), x, x.kind), floats=False),
    "sign": function_of_one(sign, floats=False),
    "square": function_of_one(lambda x: binary("*", x, x, x.kind), floats=False),
    "reciprocal": function_of_one(lambda x: binary("/", one_of(x), x, "f")),
    "rsqrt": function_of_one(lambda x: binary("/", one_of(x), call("sqrt", x), "f")),
    "isnan": function_of_one(lambda x: binary("!=", x, x, "b")),
    "isfinite": function_of_one(lambda x: binary("==", binary("-", x, x, "f"), number(0, "f"), "b")),
    "sigmoid": function_of_one(sigmoid),
    "relu": function_of_one(lambda x: larger(x, number(0, x.kind)), floats=False),
    "round": rounded,
    "softmax": _softmax,
    "add": pair_of(signed("+")),
    "sub": pair_of(signed("-")),
    "mul": pair_of(signed("*")),
    "pow": pair_of(power),
    "rsub": reversed,
    "div": divided,
    "true_divide": divided,
    "floor_divide": pair_of(floored),
    "remainder": pair_of(remainder),
    "maximum": pair_of(larger),
    "minimum": pair_of(smaller),
    "clamp_min": pair_of(larger),
    "clamp_max": pair_of(smaller),
    "atan2": pair_of(lambda x, y: call("atan2", x, y), floats=True),
    "logical_and": pair_of(lambda x, y: binary("&&", cast(x, "b"), cast(y, "b"), "b")),
    "logical_or": pair_of(lambda x, y: binary("||", cast(x, "b"), cast(y, "b"), "b")),
    "logical_not": function_of_one(lambda x: HeadValue("not", "b", (cast(x, "b"),)), floats=False),
    "where": where,
    "masked_fill": where,
    "clamp": clamped,
    "cat": _joined,
    "stack": _joined,
    "getitem": _item,
    "flip": _flipped,
    "expand": expanded,
    "repeat": repeated,
    "arange": counted,
    "full": filled(None),
    "zeros": filled(0),
    "ones": filled(1),
    "gather": _gathered,
    "index_select": _gathered,
    "index": _indexed,
    "cumsum": _cumulated,
    "sum": _summed,
    "mean": _summed,
}  # fmt: skip
