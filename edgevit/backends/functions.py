"""Parts of a model as functions of one file, in formats that have functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.on_host import Run
from edgevit.graph.cuts import GraphPart
from edgevit.targets import Target


@dataclass(frozen=True)
class Part:
    """One function to be: its graph, and its own file, verified."""

    graph: GraphPart
    artifact: Path
    precision: str


@dataclass(frozen=True)
class Functions:
    """What a format does with several functions in a file. Weights that they share are stored once."""

    join: Callable[[Mapping[str, Part], Path], None]
    open: Callable[[Path, str | None, str], Run]  # file, function (None: its only one), precision
    runs_on: Callable[[Target], bool] = lambda _: True  # whether a target's system has functions
