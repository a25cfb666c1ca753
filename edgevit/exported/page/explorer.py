"""Files for Google's Model Explorer: the graph after the rules, and an overlay of each figure.

The graph is Model Explorer's own JSON, a collection of one graph. An overlay is its custom node data: a
number and a colour by a node's id. Groups are the user's modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit.errors import PackageError
from edgevit.exported.page.cost import Timings
from edgevit.exported.page.outline import Figure, figures_of, read_outline

GRAPH = "graph.json"
_ID = "after the rules"
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#b279a2", "#9d755d", "#72b7b2", "#eeca3b")
_LIGHT, _DARK = "#eaf2fb", "#d62728"  # few, many
Nodes = Sequence[Mapping[str, Any]]


def explorer_files(
    folder: Path, manifest: Mapping[str, Any], timings: Timings | None
) -> dict[str, str]:
    """Map names of files to their text. Raises `PackageError` if the folder has no graph."""
    outline = read_outline(folder)
    if outline is None:
        raise PackageError(
            "the folder has no graph that can be shown",
            where=str(folder),
            why="it was exported before graphs were kept, or its graph is too large to draw",
            hint="export it again",
        )
    nodes = outline["after"]
    figures = figures_of(nodes, manifest, timings)
    label = f"{manifest['model']['name']} for {manifest['target']}"
    overlays = {f"{_file_name(one.title)}.json": _overlay(nodes, one) for one in figures}
    return {GRAPH: json.dumps(_graph(label, nodes, figures)), **overlays}


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.partition(" (")[0].lower()).strip("-")


def _ids(nodes: Nodes) -> list[str]:
    """Return an id for each node; names are unique but for inputs and outputs of one name."""
    counts: dict[str, int] = {}
    ids = []
    for node in nodes:
        count = counts[node["name"]] = counts.get(node["name"], 0) + 1
        ids.append(node["name"] if count == 1 else f"{node['name']} {count}")
    return ids


def _graph(label: str, nodes: Nodes, figures: Sequence[Figure]) -> dict[str, Any]:
    ids = _ids(nodes)
    return {
        "label": label,
        "graphs": [
            {
                "id": _ID,
                "nodes": [
                    {
                        "id": ids[index],
                        "label": node["op"],
                        "namespace": node["module"].replace(".", "/"),
                        "attrs": _attributes(node, index, figures),
                        "incomingEdges": [
                            {"sourceNodeId": ids[source], "sourceNodeOutputId": "0", "targetNodeInputId": str(place)}
                            for place, source in enumerate(node["inputs"])
                        ],
                        "outputsMetadata": [{"id": "0", "attrs": [_pair("shape", node["type"])]}],
                    }
                    for index, node in enumerate(nodes)
                ],
            }
        ],
    }  # fmt: skip


def _attributes(
    node: Mapping[str, Any], index: int, figures: Sequence[Figure]
) -> list[dict[str, str]]:
    facts = {"source": node["source"], "rules": ", ".join(node["rules"])}
    for figure in figures:
        value = figure.of[index]
        facts[figure.title] = "" if value is None else f"{value} {figure.unit}".strip()
    return [_pair(key, text) for key, text in facts.items() if text]


def _pair(key: str, text: str) -> dict[str, str]:
    return {"key": key, "value": text}


def _overlay(nodes: Nodes, figure: Figure) -> str:
    values = {id: value for id, value in zip(_ids(nodes), figure.of, strict=True) if value is not None}  # fmt: skip
    data = _colours(values, figure) if not figure.unit else _shades(values, figure)
    return json.dumps({_ID: data})


def _colours(values: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
    """Return a colour for each word. The overlay's values are numbers: its name tells the words."""
    words = list(dict.fromkeys(values.values()))
    legend = ", ".join(f"{number} {word}" for number, word in enumerate(words, 1))
    results = {
        id: {"value": words.index(word) + 1, "bgColor": _COLOURS[words.index(word) % len(_COLOURS)]}
        for id, word in values.items()
    }
    return {"name": f"{figure.title}: {legend}", "results": results}


def _shades(values: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
    """Return numbers with a gradient. Few decibels are worst."""
    ends = (_DARK, _LIGHT) if figure.worst else (_LIGHT, _DARK)
    return {
        "name": f"{figure.title}, {figure.unit}",
        "results": {id: {"value": value} for id, value in values.items()},
        "gradient": [{"stop": stop, "bgColor": colour} for stop, colour in enumerate(ends)],
    }
