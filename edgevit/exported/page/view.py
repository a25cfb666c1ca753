"""Report sections on the graph as a picture, and on the model layer by layer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.exported.page.cost import OWN_FORWARD
from edgevit.exported.page.html import Html, fold, named, note, section, table, tag
from edgevit.exported.page.outline import Figure, Outline

_BRIEF = 25  # rows of a table that is not folded
Nodes = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class LayerRow:
    """A module of the user's model, with what it calls itself: what its children call is theirs."""

    module: str
    calls: str
    lines: tuple[str, ...]
    cells: Mapping[str, str]  # by the figure's title


def view_section(outline: Outline | None, figures: Sequence[Figure]) -> Html | str:
    """Render the room of the picture and what is drawn in it; the page's script draws."""
    if outline is None:
        return ""
    hint = "Enter or a click opens a module or shows an operation; arrows go on; + and - zoom."
    return section(
        "view",
        "Picture of the graph",
        tag("div", note("Drawn by the page's own script: the table of layers has the same."), id="picture-of-graph"),
        note(hint),
        _data(outline, figures),
    )  # fmt: skip


def _data(outline: Outline, figures: Sequence[Figure]) -> Html:
    """Render data that no browser runs. `<` is escaped, so that nothing in it ends the element."""
    places: dict[tuple[str, str], int] = {}
    rules: dict[str, int] = {}
    graphs = {
        when: [
            [
                node["name"],
                node["op"],
                node["type"],
                places.setdefault((node["module"], node["source"]), len(places)),
                node["inputs"],
                [rules.setdefault(rule, len(rules)) for rule in node["rules"]],
                node["macs"],
            ]
            for node in nodes
        ]
        for when, nodes in outline.items()
    }
    data = {
        "graphs": graphs,
        "places": [list(place) for place in places],
        "rules": list(rules),
        "figures": [vars(figure) for figure in figures],
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", Html(text), type="application/json", id="graph-data")


def layers_section(outline: Outline | None, figures: Sequence[Figure]) -> Html | str:
    """Render a table of the modules that compute something, in the order of the graph."""
    if outline is None:
        return ""
    layers = layers_of(outline["after"], figures)
    head = ("layer", *(figure.title for figure in figures))
    texts = 1 + sum(not figure.unit for figure in figures)
    rows = [(_layer(layer), *layer.cells.values()) for layer in layers]
    shown = table(head, rows, "Modules after the rules, in the order of the graph", texts=texts)
    if len(rows) <= _BRIEF:
        return section("layers", "Layers", shown)
    return section("layers", "Layers", fold("All layers", shown, count=str(len(rows))))


def layers_of(nodes: Nodes, figures: Sequence[Figure]) -> list[LayerRow]:
    members: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        if node["op"] not in {"input", "output"}:
            members.setdefault(node["module"], []).append(index)
    return [
        LayerRow(
            module or OWN_FORWARD,
            _calls(nodes[index]["op"] for index in inside),
            tuple(dict.fromkeys(nodes[index]["source"] for index in inside)),
            {figure.title: _cell(figure, inside) for figure in figures},
        )
        for module, inside in members.items()
    ]


def _calls(ops: Iterable[str]) -> str:
    return ", ".join(f"{op} x{n}" if n > 1 else op for op, n in Counter(ops).most_common())


def _layer(layer: LayerRow) -> Html:
    lines = ", ".join(filter(None, layer.lines))
    return named(layer.module, f"{layer.calls}  ·  {lines}" if lines else layer.calls)


def _cell(figure: Figure, inside: Sequence[int]) -> str:
    entries = [entry for index in inside if (entry := figure.of[index]) is not None]
    if not entries:
        return ""
    if not figure.unit:
        return ", ".join(sorted({str(entry) for entry in entries}))
    numbers = [float(entry) for entry in entries]
    if figure.worst:
        return f"{min(numbers):.1f} {figure.unit}"
    total = sum(numbers)
    return f"{total:,.0f}" if total >= 1000 or total == int(total) else f"{total:.4g}"
