"""Choice of a range for each single value: that whose rounding and clipping cost the outputs least.

A few inputs do not show the largest numbers there are, so that ranges wider than what was seen are
tried too. The judging runs tell what clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch.fx.node import Node

from edgevit.graph.program import Inputs, Program
from edgevit.quantize.encoding import LIMITS, Grid
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
GridCosts = dict[Grid, float]  # the noise that grids of a value add, on all runs


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
    known_costs: Mapping[Node, GridCosts] = MappingProxyType({}),
) -> dict[str, RangeChoice]:
    """Choose for each value by name; values that share an encoding share the choice.

    Costs of grids on the runs that are known are taken, and the others added to them.
    """
    nodes = list(grids[CHOICES[0]])
    signed = {node: [_signed(grids[choice][node]) for choice in CHOICES] for node in nodes}
    costs = {node: known_costs.get(node, dict[Grid, float]()) for node in nodes}
    new = {node: {*signed[node]} - {*costs[node]} for node in nodes}
    for node, added in _added_noise(program, new, runs, copied).items():
        costs[node].update(added)
    noise = {node: [costs[node][grid] for grid in signed[node]] for node in nodes}

    def best(members: Sequence[Node]) -> RangeChoice:
        together = [sum(each) for each in zip(*(noise[one] for one in members), strict=True)]
        return CHOICES[together.index(min(together))]

    groups = ((node, joined.get(node, [node])) for node in nodes)
    return {node.name: best(group) for node, group in groups if any(noise[one][0] for one in group)}


def _signed(grid: Grid) -> Grid:
    """Return the grid of the same numbers whose integers have a sign."""
    least, _ = LIMITS[grid.dtype]
    dtype = grid.dtype.removeprefix("u")
    return Grid(grid.scale, grid.zero - least + LIMITS[dtype][0], dtype)


def _added_noise(
    program: Program, grids: Mapping[Node, Set[Grid]], runs: Sequence[Inputs], copied: Copied
) -> dict[Node, dict[Grid, float]]:
    """Return what each grid of a value adds to the noise; nothing where no gradient reaches it."""
    nodes = {node.name: node for node, asked in grids.items() if asked}
    noise = {node: dict.fromkeys(grids[node], 0.0) for node in nodes.values()}
    for values in gradients(program, nodes, runs, copied) if nodes else ():
        for name, (value, gradient) in values.items():
            x, weight, added = _fewer(value), _fewer(gradient), noise[nodes[name]]
            for grid in added:
                added[grid] += rounding_noise(x, weight, grid)
    return noise


def _fewer(x: torch.Tensor) -> torch.Tensor:
    numbers = x.flatten(1)
    return numbers[:, :: -(-numbers.shape[1] // _NUMBERS)]
