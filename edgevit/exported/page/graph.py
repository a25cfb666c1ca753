"""Report sections on the graph before and after the rules: figures, op counts and listings.

Rules are listed with the places that they rewrote and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevit.exported.page.html import Html, bar, fold, joined, note, section, table, tag, text

_LISTED = 400_000  # characters of a listing; a longer one is in the folder
_FIGURES = (
    ("ops", "operations", 1, ",.0f"),
    ("convs", "convolutions", 1, ",.0f"),
    ("macs", "multiply-accumulates, M", 1e6, ",.1f"),
    ("params", "parameters, M", 1e6, ",.3f"),
    ("transposes", "transposes", 1, ",.0f"),
    ("bytes_moved", "MB moved", 1e6, ",.2f"),
)


def graph_section(manifest: Mapping[str, Any], listings: Mapping[str, str]) -> Html:
    before, after = manifest["graph"]["before"], manifest["graph"]["after"]
    rows = [
        (name, format(before[key] / unit, form), format(after[key] / unit, form), _change(before[key], after[key]))
        for key, name, unit, form in _FIGURES
    ]  # fmt: skip
    return section(
        "graph",
        "Graph",
        table(("", "before", "after", "change"), rows, "Figures of the graph before and after the rules"),
        _counts(manifest.get("ops")),
        *(_listing(when, content) for when, content in listings.items()),
    )  # fmt: skip


def _change(before: float, after: float) -> str:
    if before == after:
        return "same"
    return f"{after / before - 1:+.1%}" if before else "new"


def _counts(ops: Mapping[str, Any] | None) -> Html:
    if not ops:
        return note("This folder was exported before ops were counted by kind: export it again.")
    before, after = ops["before"], ops["after"]
    most = max([*before.values(), *after.values(), 1])
    names = sorted({*before, *after}, key=lambda n: (-max(before.get(n, 0), after.get(n, 0)), n))
    rows = [
        (tag("code", name), before.get(name, 0), bar(before.get(name, 0) / most, "faint"),
         after.get(name, 0), bar(after.get(name, 0) / most))
        for name in names
    ]  # fmt: skip
    shown = table(("op", "before", "", "after", ""), rows, "Calls by kind of op, before and after")
    return fold("Ops by kind", shown, count=f"{len(names)} kinds")


def _listing(when: str, content: str) -> Html:
    lines = content.splitlines()
    cut = content[:_LISTED]
    more = note(f"The rest is in graph/{when}.txt.") if len(cut) < len(content) else ""
    return fold(
        f"The graph {when} the rules",
        tag("pre", cut, tabindex="0", class_="listing", aria_label=f"the graph {when} the rules"),
        more,
        count=f"{len(lines)} lines",
    )


def rules_section(manifest: Mapping[str, Any]) -> Html:
    busy = [rule for rule in manifest["rewrites"] if rule["fired"] or rule["refused"]]
    idle = len(manifest["rewrites"]) - len(busy)
    rows = [
        (
            tag("code", rule["rule"]),
            rule["fired"],
            len(rule["refused"]),
            _figure(rule["rel_l2"], ".1e"),
            f"{rule['before']['ops']:,} → {rule['after']['ops']:,}",
            f"{rule['before']['macs'] / 1e6:,.1f} → {rule['after']['macs'] / 1e6:,.1f}",
        )
        for rule in busy
    ]
    head = ("rule", "fired", "refused", "relative L2", "ops", "M MACs")
    parts: list[object] = [
        table(head, rows, "Rules in the order they ran; each was run and compared with the graph before it")
    ] if busy else [note("No rule found anything.")]  # fmt: skip
    parts += [_places(rule) for rule in busy]
    if idle:
        parts.append(note(f"{idle} other rules found nothing."))
    parts += [_lossy(step) for step in manifest.get("lossy", ())]
    return section("rules", "Rules", *parts)


def _figure(x: float | None, form: str) -> str:
    return "unknown" if x is None else format(x, form)


def _places(rule: Mapping[str, Any]) -> Html:
    fired = joined(tag("li", tag("code", place)) for place in rule["fired_at"])
    refused = joined(
        tag("li", tag("code", entry["where"]), " ", text(entry["why"])) for entry in rule["refused"]
    )
    return fold(
        tag("code", rule["rule"]),
        tag("h3", "fired at") if fired else "",
        tag("ul", fired) if fired else "",
        tag("h3", "refused") if refused else "",
        tag("ul", refused) if refused else "",
        count=f"{rule['fired']} fired, {len(rule['refused'])} refused",
    )


def _lossy(step: Mapping[str, Any]) -> Html:
    name = f"{step['name']}={step['value']}" if step["value"] else step["name"]
    moved = f"{len(step['places'])} places, relative L2 {step['rel_l2']:.2e}, cosine {step['cosine']:.6f}"
    return fold(joined(["lossy ", tag("code", name)]),
                tag("ul", *(tag("li", tag("code", place)) for place in step["places"])), count=moved)  # fmt: skip
