"""Ports of an integer graph: where torch tensors enter or leave, quantised, no batch, channels
last.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgevit.integer.graph import Value
from edgevit.quantize import LIMITS, PIXELS


@dataclass(frozen=True)
class Port:
    """A torch tensor at the edge of the graph.

    `order` is the torch axes in their order in memory; `shape` is torch's.
    """

    value: Value
    shape: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def takes_pixels(self) -> bool:
        return (self.value.scale, self.value.zero) == (PIXELS.scale, PIXELS.zero)

    def quantized(self, tensor: np.ndarray) -> np.ndarray:
        low, high = LIMITS[self.value.dtype]
        moved = tensor.transpose(self.order).reshape(self.value.shape).astype(np.float64)
        steps = np.floor(moved / self.value.scale + 0.5) + self.value.zero
        return np.clip(steps, low, high).astype(self.value.dtype)

    def dequantized(self, integers: np.ndarray) -> np.ndarray:
        sizes = [self.shape[axis] for axis in self.order]
        moved = self.value.dequantized(integers).reshape(sizes)
        return moved.transpose(np.argsort(self.order)).astype(np.float32)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Port:
        value = entry["value"] | {"shape": tuple(entry["value"]["shape"])}
        return cls(Value(**value), tuple(entry["shape"]), tuple(entry["order"]))
