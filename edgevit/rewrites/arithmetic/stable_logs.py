"""Logarithms of sums of exponentials that neither overflow nor lose small terms.

    log_softmax(x)        =  x - m - log(sum(exp(x - m)))                m = max(x)
    log_sigmoid(x)        =  min(x, 0) - log1p(exp(-|x|))
    bce_with_logits(x,t)  =  (1 - t) x + max(-x, 0) + log1p(exp(-|x|))
    logaddexp(a, b)       =  max(a, b) + log1p(exp(-|a - b|))
    logcumsumexp(x)       =  prefixes of 2, 4, 8 ... numbers, each the logaddexp of two halves

Converters write log(softmax(x)), log(sigmoid(x)) and log(exp(a) + exp(b)): wrong once two logits are 17 apart in
float16, 100 in float32, infinite soon after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_MEAN, _SUM = 1, 2  # how aten counts reductions


def log_softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    x = x.to(dtype) if isinstance(dtype, torch.dtype) else x
    apart = x - torch.amax(x, [dim], True)
    return apart - torch.log(torch.sum(torch.exp(apart), [dim], True))


def log_sigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x, max=0.0) - _log1p(torch.exp(-torch.abs(x)))


def binary_cross_entropy_with_logits(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = _MEAN,
) -> Tensor:
    positive = _log1p(torch.exp(-torch.abs(x))) + torch.clamp(-x, min=0.0)
    if pos_weight is not None:
        positive = positive * ((pos_weight - 1.0) * target + 1.0)
    loss = (1.0 - target) * x + positive
    loss = loss if weight is None else loss * weight
    return loss.mean() if reduction == _MEAN else loss.sum() if reduction == _SUM else loss


def logaddexp(a: Tensor, b: Tensor) -> Tensor:
    return torch.maximum(a, b) + _log1p(torch.exp(-_apart(a, b)))


def logaddexp2(a: Tensor, b: Tensor) -> Tensor:
    apart = torch.exp(_apart(a, b) * -math.log(2))
    return torch.maximum(a, b) + _log1p(apart) * (1 / math.log(2))


def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    if x.ndim == 0:
        return x.clone()
    step, count = 1, x.shape[dim]
    while step < count:
        head = x.narrow(dim, 0, step)
        tail = logaddexp(x.narrow(dim, step, count - step), x.narrow(dim, 0, count - step))
        x, step = torch.cat([head, tail], dim), 2 * step
    return x


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """Return |a - b|, or 0 where both are equal: the difference of two infinities of one sign
    is NaN.
    """
    return torch.where(a == b, 0.0, torch.abs(a - b))


def _log1p(x: Tensor) -> Tensor:
    """Compute log1p of numbers from 0 to 1.

    The rounding error of 1 + x is compensated (Kahan): some runtimes have no other log1p.
    """
    above = x + 1.0
    lost = above == 1.0
    return torch.where(lost, x, torch.log(above) * (x / torch.where(lost, 1.0, above - 1.0)))


STABLE: dict[str, Callable[..., Tensor]] = {
    "log_softmax.int": log_softmax,
    "log_sigmoid": log_sigmoid,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "logaddexp": logaddexp,
    "logaddexp2": logaddexp2,
    "logcumsumexp": logcumsumexp,
}
