"""Definitions of functions of volumes.

adaptive_avg_pool3d(x, d)   =  means along one axis after another
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from edgevit.graph.window import adaptive_windows


def adaptive_average(x: Tensor, output_size: Sequence[int]) -> Tensor:
    for axis, count in zip(range(x.ndim - 3, x.ndim), output_size, strict=True):
        x = _averaged(x, axis, count)
    return x


def _averaged(x: Tensor, axis: int, count: int) -> Tensor:
    extent = x.shape[axis]
    if extent == count:
        return x
    if extent % count:
        windows = adaptive_windows(extent, count)
        return torch.cat(
            [x.narrow(axis, a, b - a).mean(axis, keepdim=True) for a, b in windows], axis
        )
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    even = x.reshape(prod(before), count, extent // count, prod(behind))
    return even.mean(2).reshape(*before, count, *behind)


VOLUMES: dict[str, Callable[..., Tensor]] = {"adaptive_avg_pool3d": adaptive_average}
