"""Pooling. torch's own kernels when they can say it, else explicit padding and counting.

With `ceil_mode` a window may hang over the padded end: what hangs over is never counted in an average.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction
from edgevit.backends.coreml.check.ops.conv import Pads, flat, pads_of

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def max_pool(a: Arguments) -> Tensor:
    x, kernel, strides, pads = geometry(a)
    pool = MAX[len(kernel)]
    if torch_can_pad(pads, kernel):
        return pool(x, kernel, strides, [b for b, _ in pads], 1, a.flag("ceil_mode"))
    padded = F.pad(
        x, flat(reaching_end(x, kernel, strides, pads, a.flag("ceil_mode"))), value=-torch.inf
    )
    return pool(padded, kernel, strides)


def avg_pool(a: Arguments) -> Tensor:
    x, kernel, strides, pads = geometry(a)
    exclude, ceil = a.flag("exclude_padding_from_average"), a.flag("ceil_mode")
    pool = AVG[len(kernel)]
    if torch_can_pad(pads, kernel):
        return pool(x, kernel, strides, [b for b, _ in pads], ceil, not exclude)
    reach = reaching_end(x, kernel, strides, pads, ceil)
    ones = torch.ones(1, 1, *x.shape[2:])
    counted = F.pad(ones, flat(pads), value=0.0 if exclude else 1.0)
    overhang = [(0, r - after) for (_, r), (_, after) in zip(reach, pads, strict=True)]
    share = pool(F.pad(counted, flat(overhang)), kernel, strides)
    return pool(F.pad(x, flat(reach)), kernel, strides) / share


def l2_pool(a: Arguments) -> Tensor:
    x, kernel, strides, pads = geometry(a)
    reach = reaching_end(x, kernel, strides, pads, a.flag("ceil_mode"))
    mean = AVG[len(kernel)](F.pad(x * x, flat(reach)), kernel, strides)
    return torch.sqrt(mean * prod(kernel))


def geometry(a: Arguments) -> tuple[Tensor, list[int], list[int], Pads]:
    x, kernel = a.tensor("x"), a.ints("kernel_sizes")
    strides = a.ints("strides", [1] * len(kernel))
    return x, kernel, strides, pads_of(a, list(x.shape[2:]), kernel, strides)


def torch_can_pad(pads: Pads, kernel: list[int]) -> bool:
    return all(b == e and 2 * b <= k for (b, e), k in zip(pads, kernel, strict=True))


def reaching_end(x: Tensor, kernel: list[int], strides: list[int], pads: Pads, ceil: bool) -> Pads:
    """Extend the pads at the end so that the last window of `ceil_mode` fits."""
    if not ceil:
        return pads
    grown: Pads = []
    for n, k, s, (before, after) in zip(x.shape[2:], kernel, strides, pads, strict=True):
        count = (n + before + after - k + s - 1) // s + 1
        if (count - 1) * s >= n + before and before + after > 0:
            count -= 1
        grown.append((before, max(after, (count - 1) * s + k - n - before)))
    return grown


OPS: dict[str, OpFunction] = {"max_pool": max_pool, "avg_pool": avg_pool, "l2_pool": l2_pool}
