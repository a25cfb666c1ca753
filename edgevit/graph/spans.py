"""Intervals of the values of a program, for integers above all, as many runtimes hold only 32 bits.

Every value gets an interval, from the start of the graph on: constants by their values, comparisons
0 to 1, positions by the length of the axis they index. An unbounded value is assumed to be data:
integers made of floats are within 2^24, up to which float32 distinguishes consecutive integers;
ids, masks and counts that are inputs are within 2^16, or four times their example.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, integer, kind, operand
from edgevit.graph.program import Program, has_tensor, shape, value

INT32 = torch.iinfo(torch.int32)
_DATA, _INPUT = 2.0**24, 2.0**16
_WHOLE = frozenset({torch.int32, torch.int64})


class Span(NamedTuple):
    low: float
    high: float

    @property
    def most(self) -> float:
        return max(abs(self.low), abs(self.high))


_ANY, _UNIT = Span(-math.inf, math.inf), Span(0, 1)
Spans = dict[Node, Span]
SpanRule = Callable[[Node, Spans], Span]


def spans_of(program: Program) -> tuple[Spans, Spans]:
    """Return all intervals, and those of calls whose result may be wider than 32 bits.

    Readers of such a call are analysed as if it were not wide.
    """
    spans: Spans = {}
    wide: Spans = {}
    inputs = dict(zip(program.placeholders(), program.inputs, strict=True))
    for node in program.graph.nodes:
        if node.op == "output":
            continue
        if node in inputs:
            spans[node] = _of_input(inputs[node])
        elif node.op == "get_attr":
            spans[node] = _of_constant(program.constants[str(node.target)])
        else:
            rule = _RULES.get(kind(node), _default)
            span = rule(node, spans)
            if _dtype(node) == torch.int64 and not _fits(span):
                if rule in _GROWING:
                    wide[node] = span
                span = Span(max(span.low, INT32.min), min(span.high, INT32.max))
            spans[node] = span
    return spans, wide


def _fits(span: Span) -> bool:
    return INT32.min <= span.low and span.high <= INT32.max


def _dtype(node: Node) -> torch.dtype | None:
    return value(node).dtype if has_tensor(node) else None


def _of_input(tensor: torch.Tensor) -> Span:
    if tensor.dtype not in _WHOLE or not tensor.numel():
        return _of_type(tensor.dtype)
    most = max(_INPUT, 4 * float(tensor.double().abs().max()))
    return Span(-most, most)


def _of_constant(tensor: torch.Tensor) -> Span:
    if not tensor.numel() or tensor.is_complex():
        return _ANY
    low, high = float(tensor.double().min()), float(tensor.double().max())
    return Span(low, high) if low <= high else _ANY  # a NaN is not


def _of_type(dtype: torch.dtype | None) -> Span:
    if dtype == torch.bool:
        return _UNIT
    if dtype in {torch.uint8, torch.int8, torch.int16}:
        limits = torch.iinfo(dtype)
        return Span(limits.min, limits.max)
    return Span(-_DATA, _DATA) if dtype in _WHOLE else _ANY


def _default(node: Node, spans: Spans) -> Span:
    return _of_type(_dtype(node))


def _read(node: Node, name: str, spans: Spans) -> Span:
    return _span(argument(node, name), spans)


def _span(argument: Any, spans: Spans) -> Span:
    if isinstance(argument, Node):
        return spans[argument]
    return Span(argument, argument) if isinstance(argument, int | float) else _ANY


def _first(node: Node, spans: Spans) -> Span:
    return _span(node.args[0], spans)


def _union(*spans: Span) -> Span:
    return Span(min(s.low for s in spans), max(s.high for s in spans))


def _times(a: Span, b: Span) -> Span:
    ends = [0.0 if 0 in (x, y) else x * y for x in a for y in b]
    return Span(min(ends), max(ends))


def _added(node: Node, spans: Spans) -> Span:
    a, b = _read(node, "self", spans), _read(node, "other", spans)
    alpha = argument(node, "alpha")
    if kind(node) == "rsub":
        a, b = b, a
        return _plus(a, _times(b, Span(-alpha, -alpha)))
    sign = -alpha if kind(node) == "sub" else alpha
    return _plus(a, _times(b, Span(sign, sign)))


def _plus(a: Span, b: Span) -> Span:
    low, high = a.low + b.low, a.high + b.high
    return _ANY if math.isnan(low) or math.isnan(high) else Span(low, high)


def _multiplied(node: Node, spans: Spans) -> Span:
    product = _times(_read(node, "self", spans), _read(node, "other", spans))
    same = argument(node, "self") is argument(node, "other")
    return Span(0, product.high) if same else product


def _raised(node: Node, spans: Spans) -> Span:
    base = _first(node, spans)
    exponent = 2 if kind(node) == "square" else node.args[1]
    if not isinstance(exponent, int | float) or exponent < 0 or math.isinf(base.most):
        return _ANY
    most = _power(base.most, exponent)
    return Span(0 if exponent % 2 == 0 or base.low >= 0 else -most, most)


def _power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def _summed(node: Node, spans: Spans) -> Span:
    """Bound a sum over as many elements as fall on one result.

    A cumulative sum may reach the sum of its whole axis.
    """
    source, count = _first(node, spans), _count(node)
    return Span(min(source.low, 0) * count, max(source.high, 0) * count)


def _count(node: Node) -> int:
    before = shape(operand(node))
    if kind(node) in {"cumsum", "cumprod"}:
        return before[integer(node, "dim")] if before else 1
    return max(math.prod(before) // max(math.prod(shape(node)), 1), 1)


def _multiplied_up(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    most = _power(max(source.most, 1.0), _count(node))
    return Span(-most if source.low < 0 else 0, most)


def _product(node: Node, spans: Spans) -> Span:
    """Bound a product of matrices or vectors."""
    first, second = node.args[-2:]
    pair = _times(_span(first, spans), _span(second, spans))
    count = shape(first)[-1] if isinstance(first, Node) and shape(first) else 1
    return Span(min(pair.low, 0) * count, max(pair.high, 0) * count)


def _scattered(node: Node, spans: Spans) -> Span:
    source = argument(node, "src") if has_argument(node, "src") else argument(node, "source")
    each = _span(source, spans)
    count = math.prod(shape(source)) if isinstance(source, Node) else 1
    return _plus(_first(node, spans), Span(min(each.low, 0) * count, max(each.high, 0) * count))


def _shifted_left(node: Node, spans: Spans) -> Span:
    by = _span(node.args[1], spans)
    return _times(_first(node, spans), Span(1, 2.0 ** min(max(by.high, 0), 63)))


def _shifted_right(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    return Span(min(source.low, 0), max(source.high, 0))


def _divided(node: Node, spans: Spans) -> Span:
    source, by = _first(node, spans), _span(node.args[1], spans)
    if by.low <= 0 <= by.high:
        whole = _dtype(node) in _WHOLE
        return Span(-source.most, source.most) if whole else _ANY
    least = min(abs(by.low), abs(by.high))
    ends = source.most / least + 1
    return Span(-ends if source.low < 0 or by.low < 0 else 0, ends)


def _remainder(node: Node, spans: Spans) -> Span:
    by = _span(node.args[1], spans)
    if kind(node) == "remainder" and by.low >= 0:
        return Span(0, by.high)
    return Span(-by.most, by.most)


def _negated(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    return Span(-source.high, -source.low)


def _absolute(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    return Span(0 if source.low <= 0 <= source.high else min(map(abs, source)), source.most)


def _clamped(node: Node, spans: Spans) -> Span:
    low, high = _first(node, spans)
    least, most = _BOUNDS.get(kind(node), (None, None))
    for name in ("min", "min_val"):
        least = argument(node, name) if has_argument(node, name) else least
    for name in ("max", "max_val"):
        most = argument(node, name) if has_argument(node, name) else most
    if least is not None:
        floor = _span(least, spans)
        low, high = max(low, floor.low), max(high, floor.high)
    if most is not None:
        ceiling = _span(most, spans)
        low, high = min(low, ceiling.low), min(high, ceiling.high)
    return Span(low, high)


_BOUNDS: dict[str, tuple[float | None, float | None]] = {"relu": (0, None), "relu6": (0, 6)}


def _extreme(node: Node, spans: Spans) -> Span:
    if len(node.args) < 2 or not isinstance(node.args[1], Node):
        return _first(node, spans)
    a, b = _first(node, spans), spans[node.args[1]]
    pick = max if kind(node).startswith("max") else min
    return Span(pick(a.low, b.low), pick(a.high, b.high))


def _rounded(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    return Span(math.floor(source.low) if math.isfinite(source.low) else source.low,
                math.ceil(source.high) if math.isfinite(source.high) else source.high)  # fmt: skip


def _cast(node: Node, spans: Spans) -> Span:
    source = _first(node, spans)
    if _dtype(node) not in _WHOLE:
        return source if _dtype(node) != torch.bool else _UNIT
    is_whole = isinstance(node.args[0], Node) and _dtype(node.args[0]) in _WHOLE
    return source if is_whole else Span(max(source.low, -_DATA), min(source.high, _DATA))


def _any_of_operands(node: Node, spans: Spans) -> Span:
    items = node.args[0] if isinstance(node.args[0], list | tuple) else node.args
    return _union(*(_span(item, spans) for item in items if isinstance(item, Node | int | float)))


def _chosen(node: Node, spans: Spans) -> Span:
    if len(node.args) < 3:
        return _default(node, spans)
    return _union(_span(node.args[1], spans), _span(node.args[2], spans))


def _filled(node: Node, spans: Spans) -> Span:
    return _union(_first(node, spans), _span(node.args[2], spans))


def _unit(node: Node, spans: Spans) -> Span:
    return _UNIT


def _signed_unit(node: Node, spans: Spans) -> Span:
    return Span(-1, 1)


def _place(node: Node, spans: Spans) -> Span:
    """Bound a position along the axis, or in the whole tensor."""
    source = node.args[0]
    assert isinstance(source, Node)
    dim = argument(node, "dim") if has_argument(node, "dim") else None
    count = shape(source)[dim] if isinstance(dim, int) and shape(source) else math.prod(shape(source))  # fmt: skip
    return Span(0, max(count - 1, 0))


def _part(node: Node, spans: Spans) -> Span:
    """Bound one of several results of a call: the second of a sort is positions."""
    source, which = node.args
    assert isinstance(source, Node)
    places = which == 1 and kind(source) in {"sort", "topk", "max", "min", "kthvalue", "median", "mode", "cummax", "cummin"}  # fmt: skip
    places |= which == 1 and "max_pool" in kind(source)
    return _place(source, spans) if places else spans[source]


def _bucket(node: Node, spans: Spans) -> Span:
    edges = node.args[1] if kind(node) == "bucketize" else node.args[0]
    return Span(0, shape(edges)[-1] if isinstance(edges, Node) and shape(edges) else _DATA)


def _masked(node: Node, spans: Spans) -> Span:
    sides = [_first(node, spans), _span(node.args[1], spans)]
    positive = [side.high for side in sides if side.low >= 0]
    return Span(0, min(positive)) if positive else _union(*sides)


def _counted(node: Node, spans: Spans) -> Span:
    numbers = [float(n) for n in node.args if isinstance(n, int | float)]
    return Span(min([0.0, *numbers]), max([0.0, *numbers]))


def _full(node: Node, spans: Spans) -> Span:
    return _span(node.args[1], spans) if len(node.args) > 1 else _ANY


def _named(rule: SpanRule, names: str) -> dict[str, SpanRule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, SpanRule] = {
    **_named(_added, "add sub rsub"),
    **_named(_multiplied, "mul multiply"),
    **_named(_raised, "pow square"),
    **_named(_summed, "sum cumsum"),
    **_named(_multiplied_up, "prod cumprod"),
    **_named(_product, "matmul mm bmm mv dot inner vdot"),
    **_named(_scattered, "scatter_add index_add"),
    **_named(_shifted_left, "__lshift__ bitwise_left_shift"),
    **_named(_shifted_right, "__rshift__ bitwise_right_shift"),
    **_named(_divided, "div floor_divide true_divide"),
    **_named(_remainder, "remainder fmod"),
    **_named(_negated, "neg"),
    **_named(_absolute, "abs"),
    **_named(_clamped, "clamp clamp_min clamp_max hardtanh relu relu6"),
    **_named(_extreme, "maximum minimum max min amax amin"),
    **_named(_rounded, "round floor ceil trunc"),
    **_named(_cast, "to _to_copy type_as"),
    **_named(_any_of_operands, "cat stack"),
    **_named(_chosen, "where"),
    **_named(_filled, "masked_fill"),
    **_named(_unit, "sigmoid softmax hardsigmoid one_hot sign_bit rand"),
    **_named(_signed_unit, "tanh sin cos sign erf"),
    **_named(_place, "argmax argmin argsort"),
    **_named(_part, "getitem"),
    **_named(_bucket, "bucketize searchsorted"),
    **_named(_masked, "bitwise_and __and__"),
    **_named(_counted, "arange"),
    **_named(_full, "full"),
    **_named(lambda node, spans: Span(0, 0), "zeros zeros_like new_zeros"),
    **_named(lambda node, spans: Span(1, 1), "ones ones_like new_ones"),
    **_named(
        _first,
        "reshape view permute transpose mT t unsqueeze squeeze expand expand_as slice select index_select index gather "
        "take_along_dim flatten unflatten roll flip repeat repeat_interleave unbind split chunk alias clone contiguous "
        "detach lift_fresh_copy sort topk embedding mean median cummax cummin max_pool2d avg_pool2d numpy_T movedim "
        "swapaxes narrow tile masked_select diagonal tril triu unfold",
    ),
}
_GROWING = frozenset({_added, _multiplied, _raised, _summed, _multiplied_up, _product, _scattered, _shifted_left})  # fmt: skip
