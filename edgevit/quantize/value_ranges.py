"""Choice of a range for each single value: that whose rounding and clipping cost the outputs least.

A few inputs do not show the largest numbers there are, so that ranges wider than what was seen are
tried too. The judging runs tell what clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import Grid
from edgevit.quantize.observers import WEIGHTED, Observer
from edgevit.quantize.sensitivity import Copied, gradients, rounding_noise

_NUMBERS = 2**15  # of a value in a run: more say little
_ROOMS = (1.0, 0.85, 1.15, 1.3, 1.6)  # of equals, the first is taken


class RangeChoice(NamedTuple):
    """A way to choose a range, and a factor on what it has chosen."""

    ranges: str
    room: float = 1.0


CHOICES = (
    *(RangeChoice("min-max", room) for room in _ROOMS),
    RangeChoice("mse"),
    RangeChoice("percentile"),
    RangeChoice(WEIGHTED),
)
Grids = Mapping[RangeChoice, Mapping[Node, Grid]]


class Wider:
    """An observer's range, times a factor."""

    def __init__(self, observer: Observer, room: float) -> None:
        self._observer, self._room = observer, room

    def range(self, balanced: bool = False) -> tuple[float, float]:
        low, high = self._observer.range(balanced)
        return self._room * low, self._room * high


def choose_ranges(
    program: Program,
    grids: Grids,
    joined: Mapping[Node, Sequence[Node]],
    runs: Sequence[Inputs],
    copied: Copied,
) -> dict[str, RangeChoice]:
    """Choose for each value by name; values that share an encoding share the choice."""
    nodes = {node.name: node for node in grids[CHOICES[0]]}
    noise = {name: dict.fromkeys(CHOICES, 0.0) for name in nodes}
    for values in gradients(program, nodes, runs, copied):
        for name, (value, gradient) in values.items():
            x, weight = _fewer(value), _fewer(gradient)
            choices = {choice: grids[choice][nodes[name]] for choice in CHOICES}
            added = {grid: rounding_noise(x, weight, grid) for grid in {*choices.values()}}
            for choice, grid in choices.items():
                noise[name][choice] += added[grid]
    return {
        name: min(CHOICES, key=lambda choice: sum(noise[one.name][choice] for one in members))
        for name, members in ((node.name, joined.get(node, [node])) for node in nodes.values())
        if any(noise[one.name][CHOICES[0]] for one in members)
    }


def _fewer(x: torch.Tensor) -> torch.Tensor:
    numbers = x.flatten(1)
    return numbers[:, :: -(-numbers.shape[1] // _NUMBERS)]
