"""Definitions of activations that runtimes lack, or compute by sums that overflow.

    softplus(x)  =  relu(x) - log(sigmoid(|x|))
    mish(x)      =  x tanh(softplus(x))
    celu(x)      =  relu(x) + a (exp(min(x, 0) / a) - 1)
    hardsigmoid  =  clamp(x / 6 + 1 / 2, 0, 1)

No number of a float16 overflows in them: exp(x), of which softplus is said to be the logarithm, does from 12 on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_SAME_BEYOND = 17.0  # softplus(x) is x there, in float32


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    scaled = x if beta == 1 else x * beta
    smooth = torch.relu(scaled) - torch.log(torch.sigmoid(torch.abs(scaled)))
    smooth = smooth if beta == 1 else smooth / beta
    return smooth if threshold >= _SAME_BEYOND else torch.where(scaled > threshold, x, smooth)


def mish(x: Tensor) -> Tensor:
    return x * torch.tanh(softplus(x))


def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    below = torch.exp(torch.clamp(x, max=0.0) / alpha) - 1.0
    return torch.relu(x) + below * alpha


def hardsigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x * (1 / 6) + 0.5, 0.0, 1.0)


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "celu": celu,
    "hardsigmoid": hardsigmoid,
    "mish": mish,
    "softplus": softplus,
}
