"""Least cut of a weighted graph, by augmenting paths (Edmonds and Karp)."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable
from itertools import pairwise

Point = Hashable


class FlowNetwork:
    """Weighted edges between points. Parallel edges add up. A flow takes from their weights."""

    def __init__(self) -> None:
        self._residual: dict[Point, dict[Point, float]] = defaultdict(dict)

    def add(self, start: Point, end: Point, weight: float = math.inf) -> None:
        edges = self._residual[start]
        edges[end] = edges.get(end, 0.0) + weight
        self._residual[end].setdefault(start, 0.0)

    def least_cut(self, source: Point, sink: Point) -> set[Point]:
        """Return the points on the source's side of the cut of the least weight, the fewest of them.

        An infinite path from source to sink is a `ValueError`: nothing separates them.
        """
        while sink in (steps := self._reached(source)):
            path = [sink]
            while path[-1] != source:
                path.append(steps[path[-1]])
            edges = [(start, end) for end, start in pairwise(path)]
            flow = min(self._residual[start][end] for start, end in edges)
            if flow == math.inf:
                raise ValueError("source and sink cannot be separated")
            for start, end in edges:
                self._residual[start][end] -= flow
                self._residual[end][start] += flow
        return {*steps}

    def _reached(self, source: Point) -> dict[Point, Point]:
        """Return the points with weight on every edge of a path from the source, each with the one before it."""
        before, waiting = {source: source}, deque([source])
        while waiting:
            point = waiting.popleft()
            for end, weight in self._residual[point].items():
                if weight > 0 and end not in before:
                    before[end] = point
                    waiting.append(end)
        return before
