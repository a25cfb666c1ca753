"""Human-readable text of a manifest: the summary, and rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgevit.exported.golden import GOLDEN
from edgevit.exported.quantized_text import quantization_rows, quantized_verdict
from edgevit.graph.cost import GraphStats
from edgevit.graph.parity import TWIN

SUMMARY = "summary.txt"


PAGE = "report.html"


CALLS = "call"  # the folder of call snippets


GRAPHS = "graph"  # the folder of listings


OUTLINE = "outline.json"  # below it: what the picture of the graph is drawn from


def summary(manifest: Mapping[str, Any]) -> str:
    """Return the summary text, from the manifest alone."""
    graph = {when: GraphStats(**figures) for when, figures in manifest["graph"].items()}
    model = manifest["model"]
    rows = [
        f"{model['name']} for {manifest['target']}: {manifest['artifact']} ({manifest['precision']})",
        f"  model      {model['spec']}, {model['origin']}, weights {model['weights']}",
        f"  size       {artifact_bytes(manifest) / 1e6:.2f} MB",
        f"  graph      {_change(graph, 'ops')} ops, {_change(graph, 'convs')} convolutions, "
        f"{_change(graph, 'macs', 1e6)} M MACs",
        "  rewrites   "
        + (
            ", ".join(f"{r['rule']} x{r['fired']}" for r in manifest["rewrites"] if r["fired"])
            or "none fired"
        ),
    ]
    rows += lossy_rows(manifest)
    rows += _delegation_rows(manifest["delegation"])
    rows += _placement_rows(manifest.get("placement"))
    rows += parity_rows(manifest["parity"])
    rows += [f"  {name:<10} {text}" for name, text in quantization_rows(manifest)]
    rows.append("  result     " + verdict(manifest["passed"], manifest))
    return "\n".join(rows)


def verdict(passed: bool, manifest: Mapping[str, Any]) -> str:
    if not passed:
        return "NOT the same: do not ship it"
    changed = any(step["places"] for step in manifest.get("lossy", ()))
    twin = any(entry["stage"] == TWIN for entry in manifest.get("parity", ()))
    if same := quantized_verdict(manifest):
        same = ("is " if twin else "") + same + (", after its lossy steps" if changed else "")
    else:
        same = "computes the same thing" + (
            " as the model after its lossy steps" if changed else ""
        )
    return f"its twin for this machine {same}; the artifact itself was NOT run" if twin else same


def lossy_rows(manifest: Mapping[str, Any], explain: bool = False) -> list[str]:
    """Return rows on how far each lossy step moved the outputs, or why it did nothing."""
    rows = [row for step in manifest["lossy"] for row in _lossy_rows(step, explain)]
    total = manifest["from_original"]
    return rows + ([f"  in all     {_moved(total)} from the original model"] if total else [])


def _lossy_rows(step: Mapping[str, Any], explain: bool) -> list[str]:
    name = f"{step['name']}={step['value']}" if step["value"] else step["name"]
    if step["places"]:
        before, after = (step["macs"][when] / 1e6 for when in ("before", "after"))
        figures = f"{_moved(step)}, {before:.0f} -> {after:.0f} M MACs"
        rows = [f"  lossy      {name} x{len(step['places'])}: {figures}"]
    else:
        first = step["refused"][0]["why"] if step["refused"] else "the graph has no place for it"
        rows = [f"  lossy      {name} did nothing: {first}"]
    if explain:
        rows += [f"      fired    {place}" for place in step["places"]]
        for refusal in step["refused"]:
            rows += [f"      refused  {refusal['where']}", f"               {refusal['why']}"]
    return rows


def _moved(figures: Mapping[str, Any]) -> str:
    return f"relative L2 {figures['rel_l2']:.2e}, cosine {figures['cosine']:.6f}, same top-1 {figures['top1_agree']:.0%}"


def _change(graph: Mapping[str, GraphStats], field: str, unit: float = 1) -> str:
    before, after = getattr(graph["before"], field), getattr(graph["after"], field)
    return f"{before / unit:.0f} -> {after / unit:.0f}"


def artifact_bytes(manifest: Mapping[str, Any]) -> int:
    """Return the bytes that go to the device: without reports, golden vectors and calling code."""
    beside = {GOLDEN, SUMMARY, PAGE, CALLS, GRAPHS, *manifest.get("host_only", ())}
    files = (f for f in manifest["files"] if f["path"].partition("/")[0] not in beside)
    return sum(f["bytes"] for f in files)


def _delegation_rows(delegation: Mapping[str, Any] | None) -> list[str]:
    if delegation is None:
        return []
    inside = f"{delegation['ops_inside']} ops in " if delegation["ops_inside"] is not None else ""
    pieces = f"{inside}{delegation['delegates']} piece{'s' * (delegation['delegates'] != 1)}"
    counts: Counter[str] = Counter()
    for entry in delegation["outside"]:
        counts[entry["op"]] += entry["count"]
    ops = ", ".join(f"{op} x{count}" for op, count in counts.most_common(8))
    more = " ..." if len(counts) > 8 else ""
    outside = f"{delegation['ops_outside']} outside" + (f": {ops}{more}" if ops else "")
    return [f"  delegated  {delegation['to']} takes {pieces}, {outside}"]


_UNITS = {"neural_engine": "the Neural Engine", "gpu": "the GPU", "cpu": "the CPU"}


def _placement_rows(placement: Mapping[str, Any] | None) -> list[str]:
    if placement is None:
        return []
    units = [f"{count} on {_UNITS[unit]}" for unit, count in placement["units"].items() if count]
    parts, turns = placement["partitions"], placement["transposes"]
    rows = [
        f"  placed     predicted: {', '.join(units)}, in {parts} piece{'s' * (parts != 1)}; "
        f"{turns} transpose{'s' * (turns != 1)}"
    ]
    off = [entry for entry in placement["ops"] if entry["unit"] != "neural_engine"]
    whys = dict.fromkeys(entry["why"] for entry in off)
    if off and len(whys) == 1:
        return [*rows, f"             off the engine: {next(iter(whys))}"]
    counts = Counter(entry["op"] for entry in off).most_common(8)
    ops = ", ".join(f"{op} x{count}" for op, count in counts)
    return [*rows, f"             off the engine: {ops}"] if off else rows


def off_engine_lines(manifest: Mapping[str, Any]) -> list[str]:
    """Return lines for the ops predicted to run off the Neural Engine.

    Each has its source line and the reason. Equal entries are counted together.
    """
    placement = manifest["placement"]
    off = [e for e in placement["ops"] if e["unit"] != "neural_engine"] if placement else []
    counts = Counter((e["op"], _UNITS[e["unit"]], e["where"], e["why"]) for e in off)
    rows = ["predicted to run off the Neural Engine"] if off else []
    for (op, unit, where, why), count in counts.items():
        rows += [f"  {op} x{count} on {unit}   {where}", f"      {why}"]
    return rows


def outside_lines(delegation: Mapping[str, Any]) -> list[str]:
    """Return a line per op outside the delegate, most bytes first, with its source line."""
    rows = [f"outside {delegation['to']}              count  KB moved"]
    for entry in sorted(delegation["outside"], key=lambda e: -e["bytes"]):
        rows.append(
            f"  {entry['op']:<28} {entry['count']:6d} {entry['bytes'] / 1e3:9.1f}   {entry['where']}"
        )
    return rows


def parity_rows(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row for entry in entries for row in _parity_rows(entry)]


def parity_text(figures: Mapping[str, Any]) -> str:
    """Format an entry of `parity` in one short line."""
    word = "ok" if figures["passed"] else "FAILED"
    distance = figures["rel_l2"]
    return f"{word}: relative L2 {'unknown' if distance is None else format(distance, '.2e')}, needs {figures['limit']}"


def _parity_rows(entry: Mapping[str, Any]) -> list[str]:
    verdict = "ok" if entry["passed"] else "FAILED"
    figures = (
        f"relative L2 {_shown(entry['rel_l2'])}, cosine {_shown(entry['cosine'], '.6f')}, "
        f"same top-1 {_shown(entry['top1_agree'], '.0%')}   (needs {entry['limit']})"
    )
    rows = [f"  {entry['stage'] + ' ' + entry['precision']:<14} {verdict}: {figures}"]
    rows += [f"             unchecked: {what}" for what in entry["unchecked"]]
    return rows + [f"             {note}" for note in entry["notes"]]


def _shown(x: float | None, form: str = ".2e") -> str:
    return "unknown" if x is None else format(x, form)
