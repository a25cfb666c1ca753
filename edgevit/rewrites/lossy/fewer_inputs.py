"""Linear layer that reads fewer of its channels, with what is left fitted to what it computed.

    argmin_S,W',b'  E |W x + b - (W' x_S + b')|^2          x over the calibration inputs

Groups of channels go one after another, that first whose loss is the least when all others make up for it: with C the
covariance of x and P = C^-1 of those left, the loss of group g is tr(W_g P_gg^-1 W_g^T), and W loses
W_g P_gg^-1 P_g: (Hassibi and Stork 1993, OBS, on the layer's output). In float64, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgevit.graph.tensors import inverse
from edgevit.rewrites.lossy.input_moments import InputMoments

_DAMPING = 1e-4  # of the mean variance, so that channels that depend on one another have an inverse


@dataclass(frozen=True)
class FewerInputs:
    groups: tuple[int, ...]  # that stay, in order
    weight: torch.Tensor  # of their channels alone
    bias: torch.Tensor
    loss: float  # share of the output's variance


def fewer_inputs(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    moments: InputMoments,
    groups: torch.Tensor,
    stay: int,
) -> FewerInputs:
    """Return the layer of outputs x inputs with `stay` of its groups.

    `groups`: the channels of each, a row for every group.
    """
    w, covariance = weight.double().clone(), moments.covariance
    mean_variance = covariance.diagonal().mean().clamp(min=1e-12)
    damped = covariance + _DAMPING * mean_variance * torch.eye(len(covariance)).double()
    precision = inverse(damped)
    there = list(range(len(groups)))
    while len(there) > stay:
        losses = _losses(w, precision, groups[there])
        group = groups[there.pop(int(losses.argmin()))]
        pivot = inverse(precision[group][:, group])
        rows = pivot @ precision[group]
        w -= w[:, group] @ rows
        precision -= precision[:, group] @ rows
        w[:, group] = 0
    channels = groups[there].flatten()
    moved = weight.double() - w
    shift = moved @ moments.mean
    variance = (weight.double() @ covariance * weight.double()).sum().clamp(min=1e-30)
    loss = float((moved @ covariance * moved).sum() / variance)
    new_bias = shift if bias is None else bias.double() + shift
    return FewerInputs(
        tuple(there), w[:, channels].to(weight.dtype), new_bias.to(weight.dtype), loss
    )


def _losses(w: torch.Tensor, precision: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    if groups.shape[1] == 1:
        single = groups[:, 0]
        return w[:, single].square().sum(0) / precision.diagonal()[single]
    blocks = torch.stack([inverse(precision[one][:, one]) for one in groups])
    parts = torch.stack([w[:, one] for one in groups])
    return ((parts @ blocks) * parts).sum((1, 2))
