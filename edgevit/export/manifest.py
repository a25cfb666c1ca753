"""Contents of `edgevit.json` and output of `edgevit inspect`. Keys: see docs/edgevit-json.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgevit.backends import Artifact, Estimate
from edgevit.export.split import head_dict
from edgevit.exported import SCHEMA, lossy_rows
from edgevit.frontend import ModelSource
from edgevit.graph.cost import GraphStats, op_counts
from edgevit.graph.parity import Parity
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.rewrites.lossy.run import NOT_LOSSY, LossyResult
from edgevit.rewrites.report import RewriteReport, RuleReport
from edgevit.support.notebook import Row, Shown
from edgevit.support.progress import Stages
from edgevit.targets import Target


@dataclass(frozen=True, repr=False)
class GraphReport(Shown):
    """Result of `edgevit inspect`: the graph, and the graph after the rules."""

    source: ModelSource
    target: Target | None
    rewrites: RewriteReport
    lossy: LossyResult | None
    ops_before: dict[str, int]
    ops_after: dict[str, int]
    text: str
    fit: Estimate | None = None  # estimated needs on a microcontroller

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

    def _title(self) -> str:
        return f"{self.source.name} for {self.target.name if self.target else 'any target'}"

    def _rows(self) -> Iterator[Row]:
        before, after = self.rewrites.before, self.rewrites.after
        yield "model", f"{self.source.origin}, weights {self.source.weights}"
        for name, x in zip(self.source.input_names, self.source.inputs, strict=True):
            yield (
                f"input {name}",
                f"{'x'.join(map(str, x.shape))} {str(x.dtype).removeprefix('torch.')}",
            )
        yield "ops", f"{before.ops} -> {after.ops}"
        yield "M MACs", f"{before.macs / 1e6:.1f} -> {after.macs / 1e6:.1f}"
        yield "M parameters", f"{before.params / 1e6:.2f} -> {after.params / 1e6:.2f}"
        fired = [f"{rule.rule} x{len(rule.fired)}" for rule in self.rewrites.rules if rule.fired]
        yield "rewrites", ", ".join(fired) or "none fired"
        for note in self.source.notes:
            yield "note", note

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
    lossy: LossyResult | None,
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
    lossy: LossyResult | None,
    parity: Sequence[Parity],
    stages: Stages,
    versions: Mapping[str, str],
    settings: Mapping[str, object],
    from_python: bool = False,
) -> dict[str, object]:
    """Return the manifest.

    `from_python`: the model, or its inputs, are a caller's objects, which no command line says.
    `settings`: the hash of the captured graph, and the options chosen of the backend's choices.
    """
    classes = {"class_names": list(source.labels)} if source.labels else {}
    python = {"from_python": True} if from_python else {}
    return {
        "schema": SCHEMA,
        "model": {
            **model_dict(source),
            "options": dict(options),
            "graph": settings["graph"],
            **classes,
            **python,
        },
        "chosen": settings["chosen"],
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
        "notes": [*source.notes, *artifact.notes],
        **({"head": head_dict(source.split)} if source.split else {}),
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


def lossy_dict(lossy: LossyResult | None) -> dict[str, object]:
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
    """Return a line for each rule that matched.

    `explain` adds every place where it fired, and every place where it refused with the reason.
    """
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
    """Return ops, MACs and bytes moved of the graph before and after the rule."""
    before, after = rule.before, rule.after
    return (
        f"  {before.ops:6d} -> {after.ops:<6d} {before.macs / 1e6:9.1f} -> {after.macs / 1e6:<9.1f} "
        f"{before.bytes_moved / 1e6:8.1f} -> {after.bytes_moved / 1e6:<8.1f}".rstrip()
    )
