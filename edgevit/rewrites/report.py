"""Report of the rewrites: where they fired or refused and why, and each change of the output."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.graph.cost import GraphStats


@dataclass(frozen=True)
class Refusal:
    where: str
    why: str


@dataclass(frozen=True)
class RuleReport:
    rule: str
    fired: tuple[str, ...]  # the places, as "module  file:line"
    refused: tuple[Refusal, ...]
    max_abs_error: float
    rel_l2: float
    seconds: float
    before: GraphStats
    after: GraphStats

    def as_dict(self) -> dict[str, object]:
        return {
            "rule": self.rule,
            "fired": len(self.fired),
            "fired_at": list(self.fired),
            "max_abs_error": self.max_abs_error,
            "rel_l2": self.rel_l2,
            "refused": [{"where": r.where, "why": r.why} for r in self.refused],
            "seconds": round(self.seconds, 3),
            "before": _figures(self.before),
            "after": _figures(self.after),
        }


def _figures(of: GraphStats) -> dict[str, int]:
    return {"ops": of.ops, "convs": of.convs, "macs": of.macs, "bytes_moved": of.bytes_moved}


@dataclass(frozen=True)
class RewriteReport:
    before: GraphStats
    after: GraphStats
    rules: tuple[RuleReport, ...]
    max_abs_error: float  # the rewritten program against the captured one
    rel_l2: float
