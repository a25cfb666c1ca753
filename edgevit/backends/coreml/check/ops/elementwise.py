"""Element by element: one or two tensors with broadcasting, comparisons, logic, and casts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME
from edgevit.backends.coreml.check.ops.activation import plain, with_alpha, with_alpha_beta
from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError, OpFunction


def binary(function: Callable[[Tensor, Tensor], Tensor]) -> OpFunction:
    return lambda a: function(a.tensor("x"), a.tensor("y"))


def with_epsilon(function: Callable[[Tensor], Tensor], default: float) -> OpFunction:
    """Return an op that adds `epsilon` to x before `function`.

    An absent `epsilon` still has an effect: its default is not zero.
    """
    return lambda a: function(a.tensor("x") + a.number("epsilon", default))


def real_div(x: Tensor, y: Tensor) -> Tensor:
    quotient = x / y
    return quotient if x.is_floating_point() or y.is_floating_point() else quotient.to(x.dtype)


def cast(a: Arguments) -> Tensor:
    """Convert to another dtype.

    Float to float changes nothing here, because rounding belongs to the declared type of the
    output. Float to integer drops the fraction. To bool, anything but zero is true.
    """
    x, name = a.tensor("x"), a.text("dtype")
    if name not in BY_NAME:
        raise NotInterpretedError(f"cast to {name!r}")
    dtype = BY_NAME[name].tensor_dtype
    if x.is_floating_point() and dtype is torch.uint8:
        x = x.to(torch.int32)
    return x.to(dtype)


def select(a: Arguments) -> Tensor:
    return torch.where(a.tensor("cond").bool(), a.tensor("a"), a.tensor("b"))


OPS: dict[str, OpFunction] = {
    "abs": plain(torch.abs),
    "acos": plain(torch.acos),
    "add": binary(torch.add),
    "asin": plain(torch.asin),
    "atan": plain(torch.atan),
    "atanh": plain(torch.atanh),
    "cast": cast,
    "ceil": plain(torch.ceil),
    "clip": with_alpha_beta(lambda x, alpha, beta: x.clamp(alpha, beta)),
    "cos": plain(torch.cos),
    "cosh": plain(torch.cosh),
    "equal": binary(torch.eq),
    "erf": plain(torch.erf),
    "exp": plain(torch.exp),
    "exp2": plain(torch.exp2),
    "floor": plain(torch.floor),
    "floor_div": binary(lambda x, y: torch.div(x, y, rounding_mode="floor")),
    "greater": binary(torch.gt),
    "greater_equal": binary(torch.ge),
    "inverse": with_epsilon(torch.reciprocal, 1e-4),
    "less": binary(torch.lt),
    "less_equal": binary(torch.le),
    "log": with_epsilon(torch.log, 1e-45),
    "logical_and": binary(torch.logical_and),
    "logical_not": plain(torch.logical_not),
    "logical_or": binary(torch.logical_or),
    "logical_xor": binary(torch.logical_xor),
    "maximum": binary(torch.maximum),
    "minimum": binary(torch.minimum),
    "mod": binary(torch.remainder),
    "mul": binary(torch.mul),
    "not_equal": binary(torch.ne),
    "pow": binary(torch.pow),
    "real_div": binary(real_div),
    "round": plain(torch.round),
    "rsqrt": with_epsilon(torch.rsqrt, 1e-12),
    "select": select,
    "sign": plain(torch.sign),
    "sin": plain(torch.sin),
    "sinh": plain(torch.sinh),
    "sqrt": plain(torch.sqrt),
    "square": plain(torch.square),
    "sub": binary(torch.sub),
    "tan": plain(torch.tan),
    "tanh": plain(torch.tanh),
    "threshold": with_alpha(lambda x, alpha: x.clamp(min=alpha)),
}
