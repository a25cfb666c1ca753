"""Arithmetic in relax with PyTorch's semantics.

TVM's importer drops `alpha`, and gives a Python number the type of the tensor beside it:
`x.int() * 0.5` is zero. It divides integers as integers, and rounds quotients and remainders of
real numbers before they are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.tvm.tool import tvm

Expr = Any
Converter = Callable[[Node, Any], Expr]


def relax_type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def typed(importer: Any, argument: Any, dtype: torch.dtype) -> Expr:
    """Return a node or a Python number as a relax expression of that dtype."""
    relax = tvm("relax")
    if not isinstance(argument, Node):
        return relax.const(argument, relax_type(dtype))
    value = importer.env[argument]
    same = str(value.ty.dtype) == relax_type(dtype)
    return value if same else relax.op.astype(value, relax_type(dtype))


def _meant(argument: Any) -> Any:
    return argument.meta["val"] if isinstance(argument, Node) else argument


def _binary(
    compute: Callable[[Any, Expr, Expr, torch.dtype], Expr], real: bool = False
) -> Converter:
    """Return a converter that casts both sides to one dtype; with `real`, to floating point."""

    def convert(node: Node, importer: Any) -> Expr:
        dtype = torch.result_type(*map(_meant, node.args[:2]))
        if real and not dtype.is_floating_point:
            dtype = torch.get_default_dtype()
        x, y = (typed(importer, argument, dtype) for argument in node.args[:2])
        alpha = node.kwargs.get("alpha", 1)
        op = tvm("relax").op
        if alpha != 1:
            y = op.multiply(y, typed(importer, alpha, dtype))
        return importer.block_builder.emit(compute(op, x, y, dtype))

    return convert


def _named(name: str, of_bools: str = "") -> Callable[[Any, Expr, Expr, torch.dtype], Expr]:
    def compute(op: Any, x: Expr, y: Expr, dtype: torch.dtype) -> Expr:
        return getattr(op, of_bools if of_bools and dtype == torch.bool else name)(x, y)

    return compute


def _equal(op: Any, x: Expr, y: Expr, dtype: torch.dtype) -> Expr:
    return op.logical_not(op.logical_xor(x, y)) if dtype == torch.bool else op.equal(x, y)


def rsub(node: Node, importer: Any) -> Expr:
    """Compute `y - alpha * x`."""
    dtype = torch.result_type(*map(_meant, node.args[:2]))
    op = tvm("relax").op
    x, y = (typed(importer, argument, dtype) for argument in node.args[:2])
    alpha = node.args[2] if len(node.args) > 2 else node.kwargs.get("alpha", 1)
    if alpha != 1:
        x = op.multiply(x, typed(importer, alpha, dtype))
    return importer.block_builder.emit(op.subtract(y, x))


def _remainder(op: Any, x: Expr, y: Expr, dtype: torch.dtype) -> Expr:
    """Compute the remainder with the sign of the divisor.

    The result of `fmod` is exact; its sign is corrected afterwards.
    """
    if not dtype.is_floating_point:
        return op.floor_mod(x, y)
    rest = op.mod(x, y)
    return op.where(_of_other_sign(op, rest, y, dtype), op.add(rest, y), rest)


def _of_other_sign(op: Any, rest: Expr, y: Expr, dtype: torch.dtype) -> Expr:
    zero = tvm("relax").const(0, relax_type(dtype))
    differ = op.logical_xor(op.less(rest, zero), op.less(y, zero))
    return op.logical_and(op.not_equal(rest, zero), differ)


def _divided_down(op: Any, x: Expr, y: Expr, dtype: torch.dtype) -> Expr:
    """Divide and round down as PyTorch's kernel does.

    `x - fmod(x, y)` is a multiple of `y`, so the quotient lies next to a whole number.
    """
    if not dtype.is_floating_point:
        return op.floor_divide(x, y)
    one, half = (tvm("relax").const(number, relax_type(dtype)) for number in (1, 0.5))
    rest = op.mod(x, y)
    quotient = op.divide(op.subtract(x, rest), y)
    quotient = op.where(_of_other_sign(op, rest, y, dtype), op.subtract(quotient, one), quotient)
    down = op.floor(quotient)
    return op.where(op.greater(op.subtract(quotient, down), half), op.add(down, one), down)


def _divided_to_zero(op: Any, x: Expr, y: Expr, dtype: torch.dtype) -> Expr:
    if dtype.is_floating_point:
        return op.trunc(op.divide(x, y))
    sign = op.multiply(op.sign(x), op.sign(y))
    return op.multiply(sign, op.floor_divide(op.abs(x), op.abs(y)))


_divisions = {
    None: _binary(_named("divide"), real=True),
    "floor": _binary(_divided_down),
    "trunc": _binary(_divided_to_zero),
}


def divide_rounding(node: Node, importer: Any) -> Expr:
    return _divisions[node.kwargs.get("rounding_mode")](node, importer)  # type: ignore[index]


def power(node: Node, importer: Any) -> Expr:
    """Write small whole powers as products, as PyTorch does.

    Products are exact and need no call of `pow`.
    """
    base, exponent = node.args
    dtype = node.meta["val"].dtype
    op, builder = tvm("relax").op, importer.block_builder
    x = typed(importer, base, dtype)
    times = int(exponent) if isinstance(exponent, int | float) and exponent % 1 == 0 else 0
    if 1 <= times <= (3 if dtype.is_floating_point else 64):
        product = x
        for _ in range(times - 1):
            product = builder.emit(op.multiply(product, x))
        return product
    if exponent == 0.5:
        return builder.emit(op.sqrt(x))
    return builder.emit(op.power(x, typed(importer, exponent, dtype)))


def where(node: Node, importer: Any) -> Expr:
    condition, x, y = node.args
    dtype = node.meta["val"].dtype
    chosen = tvm("relax").op.where(
        importer.env[condition], typed(importer, x, dtype), typed(importer, y, dtype)
    )
    return importer.block_builder.emit(chosen)


_MATHS = {
    "add": _binary(_named("add", of_bools="logical_or")),
    "sub": _binary(_named("subtract")),
    "mul": _binary(_named("multiply", of_bools="logical_and")),
    "div": _binary(_named("divide"), real=True),
    "atan2": _binary(_named("atan2"), real=True),
    "remainder": _binary(_remainder),
    "fmod": _binary(_named("mod")),
    "maximum": _binary(_named("maximum", of_bools="logical_or")),
    "minimum": _binary(_named("minimum", of_bools="logical_and")),
    "eq": _binary(_equal),
    "ne": _binary(_named("not_equal", of_bools="logical_xor")),
    "lt": _binary(_named("less")),
    "le": _binary(_named("less_equal")),
    "gt": _binary(_named("greater")),
    "ge": _binary(_named("greater_equal")),
}

ARITHMETIC: dict[str, Converter] = {
    **{
        f"{name}.{overload}": converter
        for name, converter in _MATHS.items()
        for overload in ("Tensor", "Scalar", "default")
    },
    "rsub.Tensor": rsub,
    "rsub.Scalar": rsub,
    "div.Tensor_mode": divide_rounding,
    "div.Scalar_mode": divide_rounding,
    "pow.Tensor_Scalar": power,
    "pow.Tensor_Tensor": power,
    "pow.Scalar": power,
    "where.self": where,
}
