"""Mean and covariance of the channels that layers read, over calibration inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program


@dataclass
class InputMoments:
    """Sums over all places of a value, in float64."""

    count: int = 0
    total: torch.Tensor | float = 0.0
    products: torch.Tensor | float = 0.0

    def add(self, rows: torch.Tensor) -> None:
        rows = rows.double()
        self.count += len(rows)
        self.total = self.total + rows.sum(0)
        self.products = self.products + rows.T @ rows

    @property
    def mean(self) -> torch.Tensor:
        assert isinstance(self.total, torch.Tensor)
        return self.total / self.count

    @property
    def covariance(self) -> torch.Tensor:
        return self.products / self.count - torch.outer(self.mean, self.mean)


def input_moments(
    program: Program, axes: Mapping[str, int], samples: Sequence[Inputs]
) -> dict[str, InputMoments]:
    """Run the samples. `axes`: the channel axis of each value, by its name."""
    recorder = _MomentsRecorder(program, axes)
    with torch.no_grad():
        for inputs in samples:
            recorder.run(*inputs)
    return recorder.moments


class _MomentsRecorder(fx.Interpreter):
    def __init__(self, program: Program, axes: Mapping[str, int]) -> None:
        super().__init__(program.module())
        self._axes = axes
        self.moments = {name: InputMoments() for name in axes}

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n.name in self._axes:
            rows = value.movedim(self._axes[n.name], -1).flatten(0, -2)
            self.moments[n.name].add(rows)
        return value
