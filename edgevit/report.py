"""`edgevit.json`, the summary beside it, and what `edgevit inspect` prints. docs/edgevit-json.md documents the keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.backends.artifact import Artifact
from edgevit.backends.backend import Estimate
from edgevit.frontend.source import ModelSource
from edgevit.golden import GOLDEN
from edgevit.graph.cost import GraphStats, op_counts
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.manifest_schema import SCHEMA
from edgevit.parity import TWIN, Parity
from edgevit.rewrites.lossy.run import NOT_LOSSY, LossyPart
from edgevit.rewrites.report import RewriteReport, RuleReport
from edgevit.stages import Stages
from edgevit.targets import Target

SUMMARY = "summary.txt"
PAGE = "report.html"
CALLS = "call"  # the folder of call snippets
GRAPHS = "graph"  # the folder of listings


@dataclass(frozen=True)
class GraphReport:
    """What `edgevit inspect` knows: the graph, and what the rules make of it."""

    source: ModelSource
    target: Target | None
    rewrites: RewriteReport
    lossy: LossyPart | None
    ops_before: dict[str, int]
    ops_after: dict[str, int]
    text: str
    fit: Estimate | None = None  # what a microcontroller would need for it

    def as_dict(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "model": model_dict(self.source),
            "target": self.target.name if self.target else None,
            **rewrite_dict(self.rewrites),
            **lossy_dict(self.lossy),
            "ops": {"before": self.ops_before, "after": self.ops_after},
            **({"needs": self.fit.as_dict()} if self.fit else {}),
        }

    def __str__(self) -> str:
        rows = [f"{self.source.name}   {self.source.origin}, weights {self.source.weights}", ""]
        rows += graph_table(self.rewrites)
        rows += lossy_rows(lossy_dict(self.lossy), explain=True)
        rows += ["", "ops                              before   after"]
        for name in sorted(
            self.ops_before | self.ops_after, key=lambda n: -self.ops_before.get(n, 0)
        ):
            rows.append(
                f"  {name:<30} {self.ops_before.get(name, 0):6d}  {self.ops_after.get(name, 0):6d}"
            )
        needs = [str(self.fit), ""] if self.fit else []
        return "\n".join([*rows, "", *needs, *rewrite_lines(self.rewrites)])


def inspect_report(
    source: ModelSource,
    before: Program,
    after: Program,
    rewrites: RewriteReport,
    lossy: LossyPart | None,
    target: Target | None,
    fit: Estimate | None = None,
) -> GraphReport:
    ops = op_counts(before), op_counts(after)
    return GraphReport(source, target, rewrites, lossy, *ops, graph_text(after), fit)


def export_manifest(
    source: ModelSource,
    options: Mapping[str, object],
    target: Target,
    artifact: Artifact,
    rewrites: RewriteReport,
    lossy: LossyPart | None,
    parity: Sequence[Parity],
    stages: Stages,
    versions: Mapping[str, str],
    made: Mapping[str, object],
) -> dict[str, object]:
    """`made`: the hash of the captured graph, and what was chosen of what the backend leaves open."""
    return {
        "schema": SCHEMA,
        "model": {**model_dict(source), "options": dict(options), "graph": made["graph"]},
        "chosen": made["chosen"],
        "target": target.name,
        "format": artifact.format,
        "precision": artifact.precision,
        "artifact": artifact.path.name,
        "files": [],
        "versions": dict(versions),
        **rewrite_dict(rewrites),
        **lossy_dict(lossy),
        "delegation": artifact.delegation.as_dict() if artifact.delegation else None,
        "placement": artifact.placement.as_dict() if artifact.placement else None,
        "parity": [p.as_dict() for p in parity],
        "passed": all(p.passed for p in parity),
        "stages": stages.as_dict(),
        "notes": list(artifact.notes),
        **artifact.details,
    }


def model_dict(source: ModelSource) -> dict[str, object]:
    return {
        "spec": source.spec,
        "name": source.name,
        "origin": source.origin,
        "weights": source.weights,
        "inputs": [
            {"name": name, "shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch.")}
            for name, x in zip(source.input_names, source.inputs, strict=True)
        ],
        "preprocess": source.preprocess.as_dict() if source.preprocess else None,
        "labels": len(source.labels),
    }


def rewrite_dict(rewrites: RewriteReport) -> dict[str, object]:
    return {
        "graph": {"before": rewrites.before.as_dict(), "after": rewrites.after.as_dict()},
        "rewrites": [rule.as_dict() for rule in rewrites.rules],
    }


def lossy_dict(lossy: LossyPart | None) -> dict[str, object]:
    return lossy.as_dict() if lossy else NOT_LOSSY


def graph_table(rewrites: RewriteReport) -> list[str]:
    def row(label: str, of: GraphStats) -> str:
        return (
            f"  {label:<8} {of.ops:6d} {of.convs:6d} {of.macs / 1e6:10.1f} {of.params / 1e6:9.2f} "
            f"{of.transposes:11d} {of.bytes_moved / 1e6:9.1f}"
        )

    head = "  graph       ops  convs   MACs (M) params (M) transposes  MB moved"
    return [head, row("before", rewrites.before), row("after", rewrites.after)]


def rewrite_lines(rewrites: RewriteReport, explain: bool = True) -> list[str]:
    """One line for each rule that found something; with `explain`, every place where it fired or declined, and why."""
    busy = [rule for rule in rewrites.rules if rule.fired or rule.refused]
    rows = [
        f"{'rules':<22} fired  refused  relative L2     ops            M MACs            MB moved"
    ]
    for rule in busy:
        rows.append(
            f"  {rule.rule:<20} {len(rule.fired):5d} {len(rule.refused):8d}  {rule.rel_l2:11.2e}"
            + (_figures(rule) if rule.fired else "")
        )
        if explain:
            rows += [f"      fired    {place}" for place in rule.fired]
            for refusal in rule.refused:
                rows += [f"      refused  {refusal.where}", f"               {refusal.why}"]
    idle = len(rewrites.rules) - len(busy)
    return [*rows, f"  {idle} other rules found nothing"] if idle else rows


def _figures(rule: RuleReport) -> str:
    """Of the graph before and after the rule."""
    before, after = rule.before, rule.after
    return (
        f"  {before.ops:6d} -> {after.ops:<6d} {before.macs / 1e6:9.1f} -> {after.macs / 1e6:<9.1f} "
        f"{before.bytes_moved / 1e6:8.1f} -> {after.bytes_moved / 1e6:<8.1f}".rstrip()
    )


def summary(manifest: Mapping[str, Any]) -> str:
    """The text a person reads first, made from the manifest alone."""
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
    rows.append("  result     " + verdict(manifest["passed"], manifest))
    return "\n".join(rows)


def verdict(passed: bool, manifest: Mapping[str, Any]) -> str:
    if not passed:
        return "NOT the same: do not ship it"
    changed = any(step["places"] for step in manifest.get("lossy", ()))
    same = "computes the same thing" + (" as the model after its lossy steps" if changed else "")
    twin = any(entry["stage"] == TWIN for entry in manifest.get("parity", ()))
    return f"its twin for this machine {same}; the artifact itself was NOT run" if twin else same


def lossy_rows(manifest: Mapping[str, Any], explain: bool = False) -> list[str]:
    """How far each lossy step moved the outputs. One that did nothing says why."""
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
    """What goes to the device: not the reports, not the vectors to check by, not the code that calls it."""
    beside = {GOLDEN, SUMMARY, PAGE, CALLS, GRAPHS}
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
    left = ", ".join(f"{op} x{count}" for op, count in counts.most_common(8))
    more = " ..." if len(counts) > 8 else ""
    outside = f"{delegation['ops_outside']} outside" + (f": {left}{more}" if left else "")
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
    left = ", ".join(f"{op} x{count}" for op, count in counts)
    return [*rows, f"             off the engine: {left}"] if off else rows


def off_engine_lines(manifest: Mapping[str, Any]) -> list[str]:
    """Every op that is predicted to run off the Neural Engine, with its line and the reason, each pair once."""
    placement = manifest["placement"]
    off = [e for e in placement["ops"] if e["unit"] != "neural_engine"] if placement else []
    counts = Counter((e["op"], _UNITS[e["unit"]], e["where"], e["why"]) for e in off)
    rows = ["predicted to run off the Neural Engine"] if off else []
    for (op, unit, where, why), count in counts.items():
        rows += [f"  {op} x{count} on {unit}   {where}", f"      {why}"]
    return rows


def outside_lines(delegation: Mapping[str, Any]) -> list[str]:
    """Every op left outside, the dearest first, with the line it comes from."""
    rows = [f"outside {delegation['to']}              count  KB moved"]
    for entry in sorted(delegation["outside"], key=lambda e: -e["bytes"]):
        rows.append(
            f"  {entry['op']:<28} {entry['count']:6d} {entry['bytes'] / 1e3:9.1f}   {entry['where']}"
        )
    return rows


def parity_rows(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row for entry in entries for row in _parity_rows(entry)]


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
