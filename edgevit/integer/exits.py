"""Exit that is sure: its largest softmax reaches a threshold, told by a sum of integers.

max softmax(x) = 1 / sum of exp(x[i] - max(x)) >= t   <=>   sum of table[max(x) - x[i]] <= 65535 / t
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevit.integer.graph import require
from edgevit.integer.ports import Port

_ONE = 65535


@dataclass(frozen=True)
class ExitCheck:
    """Check of one exit's logits. `table[d]` stands for exp(-scale * d)."""

    length: int
    table: np.ndarray  # 256 of uint16, falling

    @classmethod
    def of(cls, port: Port) -> ExitCheck:
        require(port.value.dtype == "int8", "logits of 8 bits")
        table = np.rint(_ONE * np.exp(-port.value.scale * np.arange(256))).astype(np.uint16)
        return cls(port.value.size, table)

    def total(self, logits: np.ndarray) -> int:
        """Return the sum of exponentials: the larger, the less sure."""
        x = logits.astype(np.int64).ravel()
        return int(self.table.astype(np.int64)[x.max() - x].sum())


def confidence_of(total: int) -> float:
    """Return the softmax that a sum stands for."""
    return _ONE / total


def most_for(threshold: float) -> int:
    """Return the largest sum whose confidence reaches a threshold; below 65535 no sum does."""
    return int(_ONE / threshold * (1 + 1e-12)) if threshold > 0 else 2**32 - 1
