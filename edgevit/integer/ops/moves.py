"""Operations that only move bytes: their values keep scale and type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import Op, require


class _Move(Op):
    def check(self) -> None:
        y = self.output
        for x in self.inputs:
            require(
                (x.dtype, x.scale, x.zero) == (y.dtype, y.scale, y.zero), f"{x.name}: the scale"
            )
        probes = [np.broadcast_to(np.zeros((), x.dtype), x.shape) for x in self.inputs]
        require(self.run(*probes).shape == y.shape, "the shape of the output")


@dataclass(frozen=True, eq=False)
class Reshape(_Move):
    """Reshape: the same bytes under another shape. Nothing moves."""

    kind: ClassVar[str] = "reshape"

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].reshape(self.output.shape)


@dataclass(frozen=True, eq=False)
class Permute(_Move):
    kind: ClassVar[str] = "permute"
    order: tuple[int, ...]

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(inputs[0].transpose(self.order))

    def settings(self) -> str:
        return ",".join(map(str, self.order))


@dataclass(frozen=True, eq=False)
class Slice(_Move):
    kind: ClassVar[str] = "slice"
    axis: int
    start: int
    step: int = 1

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        stop = self.start + (self.output.shape[self.axis] - 1) * self.step + 1
        where = (*[slice(None)] * self.axis, slice(self.start, stop, self.step))
        return np.ascontiguousarray(inputs[0][where])

    def settings(self) -> str:
        step = f" by {self.step}" if self.step > 1 else ""
        return f"axis {self.axis} from {self.start}{step}"


@dataclass(frozen=True, eq=False)
class Concat(_Move):
    kind: ClassVar[str] = "concat"
    axis: int

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return np.concatenate(inputs, self.axis)

    def settings(self) -> str:
        return f"axis {self.axis}"


@dataclass(frozen=True, eq=False)
class Pad(_Move):
    kind: ClassVar[str] = "pad"
    sides: tuple[tuple[int, int], ...]
    value: int

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return np.pad(inputs[0], self.sides, constant_values=self.value)

    def settings(self) -> str:
        return " ".join(f"{a},{b}" for a, b in self.sides) + f" with {self.value}"


@dataclass(frozen=True, eq=False)
class Upsample(_Move):
    """Nearest upsampling: every pixel is repeated `factor` times along each axis."""

    kind: ClassVar[str] = "upsample"
    factor: tuple[int, int]

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        rows, columns = self.factor
        return inputs[0].repeat(rows, 0).repeat(columns, 1)

    def settings(self) -> str:
        return f"{self.factor[0]}x{self.factor[1]}"
