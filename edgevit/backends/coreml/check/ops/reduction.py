"""Reductions: `axes` absent means all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction

Reduce = Callable[[Tensor, list[int], bool], Tensor]


def over_axes(reduce: Reduce) -> OpFunction:
    def run(a: Arguments) -> Tensor:
        x = a.tensor("x")
        axes = a.ints("axes", list(range(x.dim())))
        return reduce(x, axes, a.flag("keep_dims")).to(x.dtype)

    return run


def product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((n % x.dim() for n in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def argument(pick: Callable[[Tensor, int, bool], Tensor]) -> OpFunction:
    def run(a: Arguments) -> Tensor:
        return pick(a.tensor("x"), a.integer("axis", -1), a.flag("keep_dims")).to(torch.int32)

    return run


OPS: dict[str, OpFunction] = {
    "reduce_argmax": argument(lambda x, axis, keep: x.argmax(axis, keep)),
    "reduce_argmin": argument(lambda x, axis, keep: x.argmin(axis, keep)),
    "reduce_l1_norm": over_axes(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "reduce_l2_norm": over_axes(lambda x, axes, keep: x.square().sum(axes, keep).sqrt()),
    "reduce_log_sum": over_axes(lambda x, axes, keep: x.sum(axes, keep).log()),
    "reduce_log_sum_exp": over_axes(lambda x, axes, keep: x.float().logsumexp(axes, keep)),
    "reduce_max": over_axes(lambda x, axes, keep: x.amax(axes, keep)),
    "reduce_min": over_axes(lambda x, axes, keep: x.amin(axes, keep)),
    "reduce_mean": over_axes(lambda x, axes, keep: x.float().mean(axes, keep)),
    "reduce_prod": over_axes(product),
    "reduce_sum": over_axes(lambda x, axes, keep: x.sum(axes, keep)),
    "reduce_sum_square": over_axes(lambda x, axes, keep: x.square().sum(axes, keep)),
}
