"""Printed output of `edgevit profile`. Every figure in it is `measured`."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.backends import OpTime
from edgevit.measure.timing import Latency, Measured, ProfileReport

_OPS_SHOWN = 15


def ops_dicts(ops: Sequence[OpTime]) -> list[dict[str, object]]:
    return [{"op": t.op, "place": t.place, "unit": t.unit, "ms": t.seconds * 1e3} for t in ops]


def latency_dict(latency: Latency) -> dict[str, object]:
    return {
        "median": latency.median * 1e3,
        "low": latency.low * 1e3,
        "high": latency.high * 1e3,
        "min": latency.least * 1e3,
        "rounds": [seconds * 1e3 for seconds in latency.rounds],
    }


def profile_text(report: ProfileReport, timed_by: str = "") -> str:
    """Return the table. `timed_by`: who chose and timed the runs, if not edgevit."""
    width = max(len(m.subject.label) for m in report.measured)
    rows = [
        f"measured {report.when} on {report.host}",
        _runs_text(report, timed_by),
        *_busy(report),
        "",
        f"{'':<{width}}   median ms   middle half        min   {_ratio_head(report)}".rstrip(),
    ]
    for m in report.measured:
        t = m.latency
        half = f"{t.low * 1e3:.3f}-{t.high * 1e3:.3f}"
        rows.append(
            f"{m.subject.label:<{width}}   {t.median * 1e3:9.3f}   {half:<15} {t.least * 1e3:7.3f}"
            f"   {_ratio_text(m)}".rstrip()
        )
    for m in report.measured:
        rows += _op_rows(m)
    return "\n".join(rows)


def _runs_text(report: ProfileReport, timed_by: str) -> str:
    if timed_by:
        return f"runs, threads and warm-up are those of {timed_by}; not interleaved"
    return f"{report.threads} threads, {report.warmup} warm-up runs, {report.rounds} interleaved rounds, a process each"


def _busy(report: ProfileReport) -> list[str]:
    """Return a warning if the load, averaged over the last minute, is at least half the cores."""
    load, cores = report.host.load, report.host.cores
    if load is None or load < cores / 2:
        return []
    return [
        f"the machine was busy (load {load:.1f} on {cores} cores): trust the ratios more than the figures"
    ]


def _ratio_head(report: ProfileReport) -> str:
    return "x the first, round by round" if len(report.measured) > 1 else ""


def _ratio_text(measured: Measured) -> str:
    if measured.ratio is None or measured.ratio_spread is None:
        return ""
    low, high = measured.ratio_spread
    return f"{measured.ratio:.3f}   ({low:.3f}-{high:.3f})"


def _op_rows(measured: Measured) -> list[str]:
    if measured.ops_missing:
        return ["", f"{measured.subject.label}: no table of ops, {measured.ops_missing}"]
    if not measured.ops:
        return []
    total = sum(t.seconds for t in measured.ops)
    rows = ["", f"{measured.subject.label}: {total * 1e3:.3f} ms in {len(measured.ops)} ops"]
    rows += ["      ms  share  op"]
    dearest = sorted(measured.ops, key=lambda t: -t.seconds)
    for t in dearest[:_OPS_SHOWN]:
        where = "  ".join(part for part in (t.op, t.place if t.place != t.op else "") if part)
        rows.append(f"{t.seconds * 1e3:8.3f}  {t.seconds / total:5.1%}  {where}   [{t.unit}]")
    rest = dearest[_OPS_SHOWN:]
    if rest:
        spent = sum(t.seconds for t in rest)
        rows.append(f"{spent * 1e3:8.3f}  {spent / total:5.1%}  {len(rest)} others")
    return rows + _by_kind(measured.ops, total)


def _by_kind(ops: Sequence[OpTime], total: float) -> list[str]:
    spent: dict[tuple[str, str], list[float]] = {}
    for t in ops:
        spent.setdefault((_kind(t.op), t.unit), []).append(t.seconds)
    if len(spent) == len(ops):
        return []
    rows = ["  by kind"]
    for (kind, unit), seconds in sorted(spent.items(), key=lambda item: -sum(item[1]))[:_OPS_SHOWN]:
        rows.append(
            f"{sum(seconds) * 1e3:8.3f}  {sum(seconds) / total:5.1%}  {kind} x{len(seconds)}   [{unit}]"
        )
    return rows


def _kind(op: str) -> str:
    """Drop the number that some runtimes append: "Convolution (NHWC, F32) IGEMM #3"."""
    return op.partition(" #")[0]
