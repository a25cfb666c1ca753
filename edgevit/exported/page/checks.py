"""Report sections on verification and execution: parity by stage, delegation, placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgevit.exported.page.html import Html, badge, bar, fold, note, section, table, tag

_UNITS = {"neural_engine": "Neural Engine", "gpu": "GPU", "cpu": "CPU"}


def parity_section(manifest: Mapping[str, Any]) -> Html:
    rows = [
        (
            f"{entry['stage']} {entry['precision']}",
            badge(entry["passed"], "within" if entry["passed"] else "NOT within"),
            entry["limit"],
            _shown(entry["rel_l2"], ".2e"),
            _shown(entry["cosine"], ".6f"),
            _shown(entry["top1_agree"], ".0%"),
            _shown(entry["max_abs"], ".2e"),
        )
        for entry in manifest["parity"]
    ]
    head = ("stage", "verdict", "limit", "relative L2", "cosine", "same top-1", "largest error")
    notes = [
        tag("li", tag("b", f"{entry['stage']} {entry['precision']}: "), line)
        for entry in manifest["parity"]
        for line in (*(f"unchecked: {what}" for what in entry["unchecked"]), *entry["notes"])
    ]
    return section(
        "parity",
        "Parity",
        table(head, rows, "Every stage against the model in eager mode", texts=3),
        tag("ul", *notes) if notes else "",
    )


def _shown(x: float | None, form: str) -> str:
    return "unknown" if x is None else format(x, form)


def places_section(manifest: Mapping[str, Any]) -> Html | str:
    if manifest.get("delegation"):
        return _delegation(manifest["delegation"])
    return _placement(manifest["placement"]) if manifest.get("placement") else ""


def _delegation(delegation: Mapping[str, Any]) -> Html:
    inside = "" if delegation["ops_inside"] is None else f"{delegation['ops_inside']} ops in "
    said = f"{delegation['to']} takes {inside}{delegation['delegates']} pieces; {delegation['ops_outside']} ops are outside."
    rows = [
        (tag("code", e["op"]), tag("code", e["where"]), e["count"], f"{e['bytes'] / 1e3:,.1f}")
        for e in sorted(delegation["outside"], key=lambda e: -e["bytes"])
    ]
    shown = table(("op", "where", "count", "KB moved"), rows, "Left to plain kernels", texts=2)
    return section("places", "What runs where", tag("p", said), shown if rows else "")


def _placement(placement: Mapping[str, Any]) -> Html:
    total = max(sum(placement["units"].values()), 1)
    units = [
        (_UNITS[unit], count, bar(count / total)) for unit, count in placement["units"].items()
    ]
    off = [op for op in placement["ops"] if op["unit"] != "neural_engine"]
    counts = Counter((op["op"], _UNITS[op["unit"]], op["where"], op["why"]) for op in off)
    rows = [
        (tag("code", op), unit, tag("code", where), why, n) for (op, unit, where, why), n in counts.items()
    ]  # fmt: skip
    head = ("op", "on", "where", "why", "count")
    return section(
        "places",
        "What runs where",
        note("predicted: the device decides."),
        table(("unit", "ops", ""), units, "Ops by unit"),
        tag("p", f"{placement['partitions']} pieces, {placement['transposes']} transposes."),
        fold("Off the Neural Engine", table(head, rows, "Off the engine", texts=4), count=f"{len(off)} ops") if off else "",
    )  # fmt: skip
