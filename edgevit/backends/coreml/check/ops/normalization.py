"""Normalisations. Inside one of them an accelerator keeps fp32, so each is rounded once, at its end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction, axis_of


def batch_norm(a: Arguments) -> Tensor:
    mean, variance = a.tensor("mean"), a.tensor("variance")
    eps = a.number("epsilon", 1e-5)
    return F.batch_norm(a.tensor("x"), mean, variance, a.maybe("gamma"), a.maybe("beta"), eps=eps)


def instance_norm(a: Arguments) -> Tensor:
    """Normalise over the spatial axes, written out.

    torch refuses a single spatial element, which is legal here.
    """
    x = a.tensor("x")
    axes = list(range(2, x.dim()))
    return standardise(a, x, axes, (1, -1, *[1] * len(axes)))


def layer_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    axes = sorted(axis_of(n, x.dim()) for n in a.ints("axes", list(range(x.dim()))))
    shape = [x.shape[n] for n in axes]
    if axes == list(range(x.dim() - len(axes), x.dim())):
        return F.layer_norm(x, shape, a.maybe("gamma"), a.maybe("beta"), a.number("epsilon", 1e-5))
    return standardise(a, x, axes, tuple(n if i in axes else 1 for i, n in enumerate(x.shape)))


def standardise(a: Arguments, x: Tensor, axes: list[int], affine: tuple[int, ...]) -> Tensor:
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    out = (x - mean) * torch.rsqrt(variance + a.number("epsilon", 1e-5))
    gamma, beta = a.maybe("gamma"), a.maybe("beta")
    if gamma is not None:
        out = out * gamma.reshape(affine)
    return out if beta is None else out + beta.reshape(affine)


def l2_norm(a: Arguments) -> Tensor:
    """Divide by the L2 norm over the last three dimensions; the ones before are batch."""
    x = a.tensor("x")
    total = x.square().sum((-3, -2, -1), keepdim=True)
    return x / torch.sqrt(total + a.number("epsilon", 1e-6))


def local_response_norm(a: Arguments) -> Tensor:
    size, alpha, beta = a.integer("size"), a.number("alpha", 1e-4), a.number("beta", 0.75)
    return F.local_response_norm(a.tensor("x"), size, alpha, beta, a.number("k", 1.0))


OPS: dict[str, OpFunction] = {
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "layer_norm": layer_norm,
    "l2_norm": l2_norm,
    "local_response_norm": local_response_norm,
}
