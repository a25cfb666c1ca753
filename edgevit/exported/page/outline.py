"""Graphs of an export as the page draws them, with what is known of each node."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import PackageError
from edgevit.exported.page.cost import Timings
from edgevit.exported.text import GRAPHS, OUTLINE
from edgevit.support.shape import (
    Listing,
    ShapeError,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import MalformedTextError, read_json

MOST_NODES = 20_000  # of one graph; a larger one is not drawn
_LINE = Text(most=10_000, plain=False)
_NODE = Table(
    {
        **dict.fromkeys(("name", "op", "type", "module", "source"), _LINE),
        "rules": Listing(_LINE, most=10_000),
        "inputs": Listing(WholeNumber(0, 1 << 31)),
        "macs": WholeNumber(0, 1 << 62),
    }
)
_SHAPE = Table(dict.fromkeys(("before", "after"), Listing(_NODE)), optional=("before",))
_UNITS = {"neural_engine": "Neural Engine", "gpu": "GPU", "cpu": "CPU"}
Outline = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Figure:
    """What is known of the nodes after the rules, one entry a node. None: nothing."""

    title: str
    of: Sequence[str | float | None]
    unit: str = ""  # of numbers; empty: words
    worst: bool = False  # of a module: its lowest number instead of the sum


def read_outline(folder: Path) -> Outline | None:
    """Return the graphs, or None for an export of before they were kept, or a graph too large."""
    path = folder / GRAPHS / OUTLINE
    if not path.is_file():
        return None
    try:
        outline = read_json(path)
        require_shape(outline, _SHAPE)
        for when, nodes in outline.items():
            _require_order(when, nodes)
    except (OSError, MalformedTextError, ShapeError) as error:
        raise PackageError(
            f"{GRAPHS}/{OUTLINE} cannot be read",
            where=str(path),
            why=str(error),
            hint="export the model again; only edgevit writes this file",
        ) from error
    return outline if max(map(len, outline.values())) <= MOST_NODES else None


def _require_order(when: str, nodes: Sequence[Mapping[str, Any]]) -> None:
    for index, node in enumerate(nodes):
        if any(other >= index for other in node["inputs"]):
            raise ShapeError(f"{when}.{index}.inputs", "a node reads a later one")


def figures_of(
    nodes: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any], timings: Timings | None
) -> list[Figure]:
    figures = [
        _placed(nodes, manifest.get("placement")),
        _delegated(nodes, manifest.get("delegation")),
        _timed(nodes, timings),
        _instructions(nodes, manifest.get("firmware")),
        _cycles(nodes, manifest.get("predicted")),
        _noise(nodes, manifest.get("quantization")),
        Figure("multiply-accumulates", [node["macs"] or None for node in nodes], "MACs"),
    ]
    return [one for one in figures if one and any(entry is not None for entry in one.of)]


def place(node: Mapping[str, Any]) -> str:
    """Return module path and source line as the manifest writes them."""
    return "  ".join(part for part in (node["module"], node["source"]) if part)


def _placed(
    nodes: Sequence[Mapping[str, Any]], placement: Mapping[str, Any] | None
) -> Figure | None:
    if not placement:
        return None
    units: dict[str, set[str]] = {}
    for entry in placement["ops"]:
        units.setdefault(entry["where"], set()).add(_UNITS[entry["unit"]])
    words = [" and ".join(sorted(units.get(place(node), ()))) or None for node in nodes]
    return Figure("unit (predicted)", words)


def _delegated(
    nodes: Sequence[Mapping[str, Any]], delegation: Mapping[str, Any] | None
) -> Figure | None:
    if not delegation:
        return None
    outside = {entry["where"].partition("   after rule")[0] for entry in delegation["outside"]}
    return Figure(
        "delegate",
        [
            None if node["op"] in {"input", "output"}
            else f"outside {delegation['to']}" if place(node) in outside
            else delegation["to"]
            for node in nodes
        ],
    )  # fmt: skip


def _timed(nodes: Sequence[Mapping[str, Any]], timings: Timings | None) -> Figure | None:
    if timings is None or not timings.ops:
        return None
    return Figure("latency (measured)", _sums(nodes, ((op["place"], op["ms"]) for op in timings.ops)), "ms")  # fmt: skip


def _instructions(
    nodes: Sequence[Mapping[str, Any]], firmware: Mapping[str, Any] | None
) -> Figure | None:
    execution = (firmware or {}).get("execution")
    if not execution:
        return None
    names = {node["name"] for node in nodes}
    spots = [(_spot(layer, names), layer["instructions"]) for layer in execution["per_layer"]]
    return Figure("instructions (emulated)", _sums(nodes, spots), "instructions")


def _spot(layer: Mapping[str, Any], names: Collection[str]) -> str:
    """Return the node that a layer of the firmware computes: `linear_2.1` is a part of `linear_2`."""
    name = layer["name"].partition(".")[0]
    return name if name in names else place({"module": "", "source": "", **layer})


def _cycles(
    nodes: Sequence[Mapping[str, Any]], predicted: Mapping[str, Any] | None
) -> Figure | None:
    layers = (predicted or {}).get("layers")
    if not isinstance(layers, list):
        return None
    return Figure("cycles (predicted)", _sums(nodes, ((e["where"], e["cycles"]) for e in layers)), "cycles")  # fmt: skip


def _noise(
    nodes: Sequence[Mapping[str, Any]], quantization: Mapping[str, Any] | None
) -> Figure | None:
    if not quantization:
        return None
    ratios = {value["call"]: value["snr"] for value in quantization["values"]}
    return Figure("signal to noise", [ratios.get(node["name"]) for node in nodes], "dB", worst=True)


def _sums(
    nodes: Sequence[Mapping[str, Any]], entries: Iterable[tuple[str, float]]
) -> list[float | None]:
    """Add each amount to one node of its place: the one with most products.

    A place is a node's name, a module path with a line, or a module path and a runtime's name of the op.
    """
    spots = _spots(nodes)
    amounts: list[float | None] = [None] * len(nodes)
    for name, amount in entries:
        index = spots.get(name, spots.get(name.partition("/")[0] if "/" in name else "", None))
        if index is not None:
            amounts[index] = (amounts[index] or 0) + amount
    return amounts


def _spots(nodes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    spots: dict[str, int] = {}
    for key in (lambda node: node["module"], place, lambda node: node["name"]):
        best: dict[str, int] = {}
        for index, node in enumerate(nodes):
            at = best.setdefault(key(node), index)
            if node["macs"] > nodes[at]["macs"]:
                best[key(node)] = index
        spots |= best
    spots.pop("", None)
    return spots
