"""Fourier transforms as products with constant matrices.

Complex arithmetic between them is done on pairs of real tensors.

    irfft2(rfft2(x) * w)   ->   (a C - b S) ...        (a, b) = (x C, -x S) * (real(w), imag(w)), as in `complex_pairs`

All complex values of a program are rewritten at once: between two real values none is left. Sums are taken in another
order: hence `rtol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, kind, operand, operand_list
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import shape
from edgevit.rewrites.arithmetic import complex_pairs as pairs
from edgevit.rewrites.arithmetic.complex_pairs import Pair
from edgevit.rewrites.layout.merge_reshapes import RESHAPES
from edgevit.rewrites.rule import Match, Refused, Rule

aten = torch.ops.aten
_BOTH = RESHAPES | TRANSPOSES | {"slice", "select", "narrow", "expand", "clone", "alias", "resolve_conj", "sum", "mean",
                                 "neg", "roll", "flip"}  # fmt: skip


@dataclass(frozen=True)
class Complex(Match):
    """Complex part of a program.

    `node` is the last real value that is made of complex ones. `calls` make or read complex values,
    in order.
    """

    calls: tuple[Node, ...]


class ExpandFft(Rule[Complex]):
    name: ClassVar[str] = "expand-fft"
    rtol: ClassVar[float] = 1e-5

    def match(self, node: Node, draft: Draft) -> Complex | None:
        if node.op != "call_function" or _is_complex(node) or not _reads_complex(node):
            return None
        calls = [call for call in draft.graph.nodes if _is_complex(call) or _reads_complex(call)]
        last = [call for call in calls if call.op == "call_function" and not _is_complex(call)][-1]
        return Complex(node, tuple(calls)) if last is node else None

    def check(self, match: Complex, draft: Draft) -> None:
        for call in match.calls:
            if call.op in {"placeholder", "output"}:
                raise Refused("the program takes or gives complex numbers")
            if call.op == "call_function" and kind(call) not in _CALLS:
                raise Refused(f"`{kind(call)}` of complex numbers is not spelled out")
            if kind(call) != "mul" and any(isinstance(term, complex) for term in call.args):
                raise Refused("a complex number is written into a call")
            if kind(call) in {"add", "sub"} and call.kwargs:
                raise Refused("a sum of complex numbers has weights")

    def rewrite(self, match: Complex, edit: Edit) -> Node:
        pair_of: dict[Node, Pair] = {}
        real: dict[Node, Node] = {}
        for call in match.calls:
            there = Edit(edit.draft, self.name, call)
            if call.op == "get_attr":
                pair_of[call] = _constant(call, there)
            elif _is_complex(call):
                pair_of[call] = _CALLS[kind(call)](call, pair_of, there)
            else:
                real[call] = _CALLS[kind(call)](call, pair_of, there)
        for call, replacement in real.items():
            if call is not match.node:
                Edit(edit.draft, self.name, call).replace(call, replacement)
        return real[match.node]


def _is_complex(node: Any) -> bool:
    if not isinstance(node, Node):
        return False
    return getattr(node.meta.get("val"), "is_complex", lambda: False)()


def _reads_complex(node: Node) -> bool:
    return any(_is_complex(source) for source in node.all_input_nodes)


def _constant(node: Node, edit: Edit) -> Pair:
    tensor = edit.draft.tensor(node)
    return edit.constant(tensor.real, "real"), edit.constant(tensor.imag, "imaginary")


def _pair(term: Any, pair_of: dict[Node, Pair]) -> Pair:
    return pair_of.get(term, (term, None))


def _axes(node: Node) -> list[int]:
    """Return the axes of a transform, in the order of its arguments."""
    rank = len(shape(operand(node)))
    named, sizes = argument(node, "dim"), _sizes(node)
    if named is None:
        named = range(rank - len(sizes) if sizes else 0, rank)
    return [axis % rank for axis in ([named] if isinstance(named, int) else named)]


def _sizes(node: Node) -> list[int] | None:
    if "shift" in kind(node):
        return None
    sizes = argument(node, "n" if kind(node)[-1] == "t" else "s")
    return [sizes] if isinstance(sizes, int) else sizes


def _sized(node: Node, pair: Pair, edit: Edit) -> Pair:
    """Cut or pad the operand where the transform is of another number of values than there are."""
    axes = _axes(node)
    for axis, size in zip(axes, _sizes(node) or (), strict=False):
        if size != -1:
            is_half = kind(node).startswith("fft_irfft") and axis == axes[-1]
            pair = pairs.sized(pair, axis, size // 2 + 1 if is_half else size, edit)
    return pair


def _fft(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    inverse = "ifft" in kind(node)
    pair = _sized(node, _pair(operand(node), pair_of), edit)
    for axis in _axes(node):
        scale = pairs.scale_of(argument(node, "norm"), shape(pair[0])[axis], inverse)
        pair = pairs.transform(pair, axis, inverse, scale, edit)
    return pair


def _rfft(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    *others, last = _axes(node)
    source, norm = _sized(node, (operand(node), None), edit)[0], argument(node, "norm")
    scale = pairs.scale_of(norm, shape(source)[last], inverse=False)
    pair = pairs.half(source, last, scale, edit)
    for axis in others:
        scale = pairs.scale_of(norm, shape(source)[axis], inverse=False)
        pair = pairs.transform(pair, axis, False, scale, edit)
    return pair


def _irfft(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Node:
    *others, last = _axes(node)
    pair, norm = _sized(node, _pair(operand(node), pair_of), edit), argument(node, "norm")
    for axis in others:
        scale = pairs.scale_of(norm, shape(pair[0])[axis], inverse=True)
        pair = pairs.transform(pair, axis, True, scale, edit)
    size = shape(node)[last]
    return pairs.from_half(pair, last, size, pairs.scale_of(norm, size, inverse=True), edit)


def _both(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    return pairs.each(
        pair_of[operand(node)],
        lambda part: edit.again(node, part, *node.args[1:], **node.kwargs),
    )


def _shift(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    """Put the frequency zero in the middle of each axis, or back."""
    axes = _axes(node)
    sizes = [shape(operand(node))[axis] for axis in axes]
    by = [(size + 1) // 2 if kind(node) == "fft_ifftshift" else size // 2 for size in sizes]
    return pairs.each(
        pair_of[operand(node)], lambda part: edit.call(aten.roll.default, part, by, axes)
    )


def _joined(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    parts = [_pair(one, pair_of) for one in operand_list(node)]
    both = [real for real, _ in parts], [pairs.imaginary(part, edit) for part in parts]
    real, imaginary = (edit.again(node, one, *node.args[1:], **node.kwargs) for one in both)
    return real, imaginary


def _product(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    first, second = node.args
    if isinstance(second, complex):
        return pairs.times_number(_pair(first, pair_of), second, edit)
    return pairs.times(_pair(first, pair_of), _pair(second, pair_of), edit)


def _power(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    """Compute e ** (a + b i)."""
    real, imaginary = _pair(operand(node), pair_of)
    length = edit.call(aten.exp.default, real)
    return (length, None) if imaginary is None else pairs.polar(length, imaginary, edit)


def _polar(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    return pairs.polar(operand(node), operand(node, 1), edit)


def _quotient(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    above, below = node.args[:2]
    if _is_complex(below):
        return pairs.quotient(_pair(above, pair_of), _pair(below, pair_of), edit)
    return pairs.each(
        _pair(above, pair_of), lambda part: edit.again(node, part, below, **node.kwargs)
    )


def _sum(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    first, second = (_pair(term, pair_of) for term in node.args)
    return pairs.plus(first, second, node.target, edit)


def _from_last(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Pair:
    source = operand(node)
    last = len(shape(source)) - 1
    real, imaginary = (
        edit.reshaped(edit.call(aten.slice.Tensor, source, last, k, k + 1), shape(node))
        for k in range(2)
    )
    return real, imaginary


def _to_last(node: Node, pair_of: dict[Node, Pair], edit: Edit) -> Node:
    pair = pair_of[operand(node)]
    last = len(shape(node)) - 1
    apart = [
        edit.reshaped(part, [*shape(part), 1]) for part in (pair[0], pairs.imaginary(pair, edit))
    ]
    return edit.call(aten.cat.default, apart, last)


_CALLS: dict[str, Callable[[Node, dict[Node, Pair], Edit], Any]] = {
    **dict.fromkeys(
        ("fft_fft", "fft_fft2", "fft_fftn", "fft_ifft", "fft_ifft2", "fft_ifftn"), _fft
    ),
    **dict.fromkeys(("fft_rfft", "fft_rfft2", "fft_rfftn"), _rfft),
    **dict.fromkeys(("fft_irfft", "fft_irfft2", "fft_irfftn"), _irfft),
    **dict.fromkeys(_BOTH, _both),
    **dict.fromkeys(("fft_fftshift", "fft_ifftshift"), _shift),
    "cat": _joined,
    "stack": _joined,
    "mul": _product,
    "exp": _power,
    "polar": _polar,
    "div": _quotient,
    "add": _sum,
    "sub": _sum,
    "complex": lambda node, pair_of, edit: (operand(node), node.args[1]),
    "view_as_complex": _from_last,
    "view_as_real": _to_last,
    "_conj": lambda node, pair_of, edit: pairs.conjugate(pair_of[operand(node)], edit),
    "conj": lambda node, pair_of, edit: pairs.conjugate(pair_of[operand(node)], edit),
    "real": lambda node, pair_of, edit: pair_of[operand(node)][0],
    "imag": lambda node, pair_of, edit: pairs.imaginary(pair_of[operand(node)], edit),
    "angle": lambda node, pair_of, edit: pairs.angle(pair_of[operand(node)], edit),
    "abs": lambda node, pair_of, edit: pairs.length(pair_of[operand(node)], edit),
}
