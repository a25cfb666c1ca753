"""Round a value to fp16, counting what is lost. The value stays in an fp32 tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# From here up, rounding to the nearest fp16 gives infinity: half a step above the largest, 65504.
OVERFLOW = 65520.0
MIN_NORMAL_BITS = 0x0400


@dataclass(frozen=True)
class Rounding:
    """Count of a value's elements that left the range of normal fp16 numbers."""

    op: str
    value: str
    elements: int
    overflow: int
    subnormal: int

    def __bool__(self) -> bool:
        return bool(self.overflow or self.subnormal)


def round_to_fp16(x: Tensor, op: str, value: str) -> tuple[Tensor, Rounding]:
    half = x.half()
    low, high = torch.aminmax(x) if x.numel() else (torch.zeros(()), torch.zeros(()))
    inside = float(low) > -OVERFLOW and float(high) < OVERFLOW
    overflow = 0 if inside else int((half.isinf() & x.isfinite()).sum())
    return half.float(), Rounding(op, value, x.numel(), overflow, count_subnormal(x, half))


def count_subnormal(x: Tensor, half: Tensor) -> int:
    """Count elements that are nonzero before rounding, and subnormal or zero after it.

    numpy counts several times faster than torch, and this runs after every operation.
    """
    magnitude = half.view(torch.int16).numpy() & 0x7FFF
    small = np.count_nonzero(magnitude < MIN_NORMAL_BITS)
    return int(small - np.count_nonzero(x.numpy() == 0)) if small else 0
