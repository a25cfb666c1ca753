"""Parts of a model, or its sizes, as functions of one file, in formats that have functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from edgevit.backends.on_host import Run
from edgevit.errors import ParityError
from edgevit.graph.cuts import GraphPart
from edgevit.graph.parity import distance
from edgevit.graph.program import Inputs
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import Target


class NotJoinedError(Exception):
    """Reason why files do not become functions of one."""


@dataclass(frozen=True)
class Part:
    """One function to be: its graph, and its own file, verified."""

    graph: GraphPart
    artifact: Path
    precision: str


@dataclass(frozen=True)
class Functions:
    """What a format does with several functions in a file. Weights that they share are stored once."""

    join: Callable[[Mapping[str, Part], Path], None] | None
    open: Callable[[Path, str | None, str], Run]  # file, function (None: its only one), precision
    runs_on: Callable[[Target], bool] = lambda _: True  # whether a target's system has functions
    join_files: Callable[[Mapping[str, Path], Path], None] | None = None  # without their graphs
    rounding: float = 0.0  # relative L2 between a function and its own file; 0: bit for bit
    since: str = ""  # the first system that has functions
    # Name and text of the file that opens one of @FUNCTIONS@ of @STEM@, which is in @FILE@.
    call: tuple[str, str] = ("", "")


def functions_of(format: str, target: Target) -> Functions | None:
    """Return how the format has several functions in a file; None where it or the target has none."""
    info = BACKENDS[format]
    functions: Functions | None = info.part(info.functions) if info.functions else None
    return functions if functions and functions.runs_on(target) else None


def require_same_functions(
    functions: Functions,
    path: Path,
    name: str,
    own: Path,
    precision: str,
    inputs: Inputs,
) -> None:
    """Refuse a function that computes other numbers than its own file, which was verified."""
    expected = functions.open(own, None, precision)(inputs)
    outputs = functions.open(path, name, precision)(inputs)
    if functions.rounding:
        same = distance(expected, outputs).rel_l2 <= functions.rounding
    else:
        same = all(torch.equal(a, b) for a, b in zip(expected, outputs, strict=True))
    if not same:
        raise ParityError(
            "the file of all functions does not compute what their own files do",
            where=f"{path}, function {name}",
            why="joining them changed what they compute",
            hint="export another --format, and report it",
        )


def bytes_of(path: Path) -> int:
    """Return the size of a file, which may be a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
