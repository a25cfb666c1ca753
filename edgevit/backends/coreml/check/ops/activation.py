"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError, OpFunction

GELU: dict[str, Callable[[Tensor], Tensor]] = {
    "EXACT": F.gelu,
    "TANH_APPROXIMATION": lambda x: F.gelu(x, approximate="tanh"),
    "SIGMOID_APPROXIMATION": lambda x: x * torch.sigmoid(1.702 * x),
}


def plain(function: Callable[[Tensor], Tensor]) -> OpFunction:
    return lambda a: function(a.tensor("x"))


def with_alpha(function: Callable[[Tensor, float], Tensor]) -> OpFunction:
    return lambda a: function(a.tensor("x"), a.number("alpha"))


def with_alpha_beta(function: Callable[[Tensor, float, float], Tensor]) -> OpFunction:
    return lambda a: function(a.tensor("x"), a.number("alpha"), a.number("beta"))


def gelu(a: Arguments) -> Tensor:
    mode = a.text("mode", "EXACT")
    if mode not in GELU:
        raise NotInterpretedError(f"mode {mode!r}")
    return GELU[mode](a.tensor("x"))


def softmax(a: Arguments) -> Tensor:
    return torch.softmax(a.tensor("x"), a.integer("axis", -1))


def prelu(a: Arguments) -> Tensor:
    x = a.tensor("x")
    return torch.where(x > 0, x, x * per_channel(a.tensor("alpha"), x))


def softplus_parametric(a: Arguments) -> Tensor:
    x = a.tensor("x")
    alpha, beta = per_channel(a.tensor("alpha"), x), per_channel(a.tensor("beta"), x)
    return alpha * softplus(beta * x)


def softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros(()))


def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.where(x >= 0, x, alpha * x).clamp(max=beta)


def per_channel(vector: Tensor, x: Tensor) -> Tensor:
    return vector.reshape(-1, *[1] * (x.dim() - 2))


OPS: dict[str, OpFunction] = {
    "clamped_relu": with_alpha_beta(clamped_relu),
    "elu": with_alpha(F.elu),
    "gelu": gelu,
    "leaky_relu": with_alpha(F.leaky_relu),
    "linear_activation": with_alpha_beta(lambda x, alpha, beta: alpha * x + beta),
    "prelu": prelu,
    "relu": plain(F.relu),
    "relu6": plain(F.relu6),
    "scaled_tanh": with_alpha_beta(lambda x, alpha, beta: alpha * torch.tanh(beta * x)),
    "sigmoid": plain(torch.sigmoid),
    "sigmoid_hard": with_alpha_beta(lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1)),
    "silu": plain(F.silu),
    "softmax": softmax,
    "softplus": plain(softplus),
    "softplus_parametric": softplus_parametric,
    "softsign": plain(F.softsign),
    "thresholded_relu": with_alpha(lambda x, alpha: torch.where(x >= alpha, x, 0.0)),
}
