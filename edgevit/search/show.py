"""Front of a search as a table, as JSON, as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgevit.search.search import Searched, merit
from edgevit.support.pareto_plot import Dot, Panel, pareto_svg

JSON = "front.json"
PICTURE = "pareto.svg"


def write_front(searched: Searched) -> None:
    output = searched.request.output
    output.mkdir(parents=True, exist_ok=True)
    (output / JSON).write_text(json.dumps(searched.as_dict(), indent=1) + "\n")
    (output / PICTURE).write_text(pareto_svg(_panels(searched)))


def _panels(searched: Searched) -> list[Panel]:
    title = f"{searched.request.space} for {searched.request.target}, emulated"
    units = {"instructions": "instructions", "ram": "RAM, bytes"}
    return [Panel(title, label, _missing(searched), _dots(searched, axis)) for axis, label in units.items()]  # fmt: skip


def _dots(searched: Searched, axis: str) -> tuple[Dot, ...]:
    nets = [*searched.front, *([searched.baseline] if searched.baseline else [])]
    return tuple(Dot(net[axis], _loss(net), _label(net)) for net in nets)


def _missing(searched: Searched) -> str:
    return "errors, %" if searched.request.data else "less the score"


def _loss(net: Mapping[str, Any]) -> float:
    score = merit(net)
    return 100 - score if 0 <= score <= 100 else -score


def _label(net: Mapping[str, Any]) -> str:
    return net["spec"].removeprefix("zoo:")[-40:]


def front_text(searched: Searched) -> str:
    tested = searched.request.test is not None
    head = f"  {'emulated':<10}{'RAM, bytes':>12}{'flash':>11}{'instructions':>14}{'float':>8}{'score':>8}"
    rows = [
        f"{searched.request.space} for {searched.request.target}: {searched.tried} nets, "
        f"{searched.refused} refused",
        head + (f"{'test':>8}" if tested else "") + "  net",
        *(_row("", net, tested) for net in searched.front),
    ]
    if searched.baseline is not None:
        rows += [_row("to beat", searched.baseline, tested), *_verdict(searched)]
    if searched.best:
        rows += ["", f"  again     {searched.best['command']}"]
    return "\n".join([*rows, f"  in        {searched.request.output}: {JSON}, {PICTURE}, nets/"])


def _row(name: str, net: Mapping[str, Any], tested: bool) -> str:
    figures = f"{net['ram']:>12,}{net['flash']:>11,}{net['instructions']:>14,}"
    scores = f"{net['float_score']:>8.2f}{net['score']:>8.2f}"
    return f"  {name:<10}{figures}{scores}" + (f"{net['test']:>8.2f}" if tested else "") + f"  {net['spec']}"  # fmt: skip


def _verdict(searched: Searched) -> list[str]:
    best, own = searched.best, searched.baseline
    if best is None or own is None:
        return ["", "  verdict   no net was found that takes no more RAM and instructions"]
    word = "beats it" if searched.beats else "does not beat it"
    return [
        "",
        f"  verdict   {best['spec']}, of the highest score, {word}: {merit(best):.2f} against {merit(own):.2f}, "
        f"x{best['ram'] / own['ram']:.2f} of its RAM, x{best['instructions'] / own['instructions']:.2f} of its instructions",
    ]
