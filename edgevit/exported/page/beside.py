"""Two exports side by side: what differs between them, as rows for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgevit.exported.page.cost import Timings
from edgevit.exported.page.head import head_figures
from edgevit.exported.page.html import Html, fold, note, section, table, tag
from edgevit.exported.page.outline import figures_of, read_outline
from edgevit.exported.page.view import layers_of
from edgevit.exported.text import verdict

_NONE = "-"
_ABOUT = (("model", "spec"), ("weights", "weights"))
_WIDE = 44  # characters of a cell on a terminal
_TEXT_LAYERS = 20  # rows of layers on a terminal
Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Exported:
    """An exported folder with its newest latency."""

    folder: Path
    manifest: Manifest
    timings: Timings | None = None


@dataclass(frozen=True)
class DifferingFigure:
    name: str
    first: str
    second: str
    layer: str = ""  # module path; empty for the whole model

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    first: str
    second: str
    differences: Sequence[DifferingFigure]
    same: int  # figures that are equal


def compare(first: Exported, second: Exported) -> Comparison:
    pairs = [*_whole(first, second), *_layers(first, second)]
    differences = [pair for pair in pairs if pair.first != pair.second]
    names = str(first.folder), str(second.folder)
    return Comparison(*names, differences, len(pairs) - len(differences))


def _whole(first: Exported, second: Exported) -> Iterator[DifferingFigure]:
    for read in (_about, _figures, _distances, _rules, _versions):
        yield from _paired(read(first), read(second))


def _about(one: Exported) -> dict[str, str]:
    model = one.manifest["model"]
    about = {name: str(model.get(key, _NONE)) for name, key in _ABOUT}
    about["graph as captured"] = model["graph"][:12]
    return {"verdict": verdict(one.manifest["passed"], one.manifest), **about}


def _figures(one: Exported) -> dict[str, str]:
    tiles = head_figures(one.manifest, one.timings)
    return {name: f"{x} {what}" if name == "runs on" else x for name, x, what in tiles}


def _distances(one: Exported) -> dict[str, str]:
    return {
        f"relative L2, {entry['stage']} {entry['precision']}": _parity(entry)
        for entry in one.manifest["parity"]
    }


def _rules(one: Exported) -> dict[str, str]:
    fired = (rule for rule in one.manifest["rewrites"] if rule["fired"])
    return {f"rule {rule['rule']}": f"x{rule['fired']}" for rule in fired}


def _versions(one: Exported) -> Mapping[str, str]:
    return one.manifest["versions"]


def _parity(entry: Mapping[str, Any]) -> str:
    distance = "unknown" if entry["rel_l2"] is None else f"{entry['rel_l2']:.2e}"
    return distance if entry["passed"] else f"{distance}, NOT within"


def _paired(
    first: Mapping[str, str], second: Mapping[str, str], layer: str = ""
) -> Iterator[DifferingFigure]:
    for name in dict.fromkeys([*first, *second]):
        yield DifferingFigure(name, first.get(name, _NONE), second.get(name, _NONE), layer)


def _layers(first: Exported, second: Exported) -> Iterator[DifferingFigure]:
    mine, theirs = (_cells(one) for one in (first, second))
    for module in dict.fromkeys([*mine, *theirs]):
        yield from _paired(mine.get(module, {}), theirs.get(module, {}), module)


def _cells(one: Exported) -> dict[str, dict[str, str]]:
    """Return what is known of each layer, by module path; nothing for an export without outline."""
    outline = read_outline(one.folder)
    if outline is None:
        return {}
    nodes = outline["after"]
    layers = layers_of(nodes, figures_of(nodes, one.manifest, one.timings))
    return {layer.module: {"calls": layer.calls, **layer.cells} for layer in layers}


def comparison_text(comparison: Comparison) -> str:
    """Return the whole model's rows, and the first of the layers."""
    whole = [d for d in comparison.differences if not d.layer]
    layers = [d for d in comparison.differences if d.layer]
    rows = [("", comparison.first, comparison.second)]
    rows += [(d.name, _cut(d.first), _cut(d.second)) for d in whole]
    rows += [(f"{d.layer}  {d.name}", _cut(d.first), _cut(d.second)) for d in layers[:_TEXT_LAYERS]]  # fmt: skip
    wide = [max(len(row[k]) for row in rows) for k in (0, 1)]
    lines = [f"  {a:<{wide[0]}}  {b:<{wide[1]}}  {c}".rstrip() for a, b, c in rows]
    hidden = len(layers) - _TEXT_LAYERS
    lines += [f"  ... and {hidden} more of layers: the page has them"] if hidden > 0 else []
    return "\n".join([*lines, f"  {comparison.same} figures are equal"])


def _cut(text: str) -> str:
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


def beside_section(comparison: Comparison | None) -> Html | str:
    if comparison is None:
        return ""
    whole = [(d.name, d.first, d.second) for d in comparison.differences if not d.layer]
    layers = [
        (tag("code", d.layer), d.name, d.first, d.second) for d in comparison.differences if d.layer
    ]
    head = ("this export", "the other")
    parts: list[object] = [
        note("The other is ", tag("code", comparison.second), f"; {comparison.same} figures are equal.")
    ]  # fmt: skip
    if whole:
        parts.append(table(("", *head), whole, "What differs", texts=3))
    if layers:
        shown = table(("layer", "", *head), layers, "What differs, by layer", texts=4)
        parts.append(fold("By layer", shown, count=str(len(layers))))
    return section("beside", "Beside another export", *parts)
