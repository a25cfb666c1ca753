"""`edgevit history`: list the figures of the store, and compare two of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevit.errors import StoreError, UsageError
from edgevit.measure.store import Store, StoredFigure


@dataclass(frozen=True)
class Compared:
    """Ratio of figure B to figure A. `paired`: interleaved, with the ratio taken round by round."""

    a: StoredFigure
    b: StoredFigure
    ratio: float
    low: float
    high: float
    paired: bool

    @property
    def verdict(self) -> str:
        """Comparison in words. A difference counts if the range of the ratio excludes 1."""
        if self.low <= 1 <= self.high:
            return "no difference beyond the spread"
        return "B is faster" if self.ratio < 1 else "B is slower"

    def as_dict(self) -> dict[str, Any]:
        return {
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "ratio": self.ratio,
            "ratio_spread": [self.low, self.high],
            "paired": self.paired,
            "same_device": _same_device(self.a, self.b),
            "verdict": self.verdict,
        }


def compared(store: Store, words: Sequence[str]) -> Compared:
    """Compare two figures, given by their numbers in `edgevit history`."""
    wrong = [word for word in words if not _is_number(word)]
    ids = [int(word) for word in words if _is_number(word)]
    rows = {row.id: row for row in store.rows(ids=ids)}
    wrong += [str(number) for number in ids if number not in rows]
    if wrong:
        raise UsageError(
            f"the store has no figure {' and '.join(wrong)}",
            where=store.where,
            why="figures are numbered by the store",
            hint="`edgevit history` lists them with their numbers",
        )
    return compare(rows[ids[0]], rows[ids[1]])


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19


def compare(a: StoredFigure, b: StoredFigure) -> Compared:
    if (a.kind, a.unit) != (b.kind, b.unit):
        raise UsageError(
            f"figures {a.id} and {b.id} cannot be compared",
            where=f"{a.label}, {b.label}",
            why=f"one is {a.kind} in {a.unit}, the other {b.kind} in {b.unit}",
            hint="two figures of one kind: `edgevit history` lists them",
        )
    if 0 in (a.value, *a.rounds):
        raise StoreError(f"figure {a.id} is 0", where=a.label, why="there is no ratio to nothing")
    paired = a.session == b.session and len(a.rounds) == len(b.rounds)
    if paired:
        ratios = [y / x for x, y in zip(a.rounds, b.rounds, strict=True)]
        low, middle, high = _quarters(ratios)
    else:
        (a_low, a_mid, a_high), (b_low, b_mid, b_high) = _quarters(a.rounds), _quarters(b.rounds)
        low, middle, high = b_low / a_high, b_mid / a_mid, b_high / a_low
    return Compared(a, b, middle, low, high, paired)


def _quarters(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _same_device(a: StoredFigure, b: StoredFigure) -> bool:
    fields = ("address", "cpu", "cores", "os", "serial")
    return all(a.device.get(name) == b.device.get(name) for name in fields)


def history_text(rows: Sequence[StoredFigure], where: str) -> str:
    if not rows:
        return f"no figures in {where}"
    width = max(len(row.label) for row in rows)
    lines = [f"{'':>5}  {'when':<19}  {'':<{width}}  {'figure':>22}  {'spread':>6}  device"]
    for row in rows:
        lines.append(
            f"{row.id:>5}  {row.at[:19].replace('T', ' ')}  {row.label:<{width}}  {figure(row):>22}"
            f"  {_spread(row):>6}  {_device(row)}"
        )
    return "\n".join(lines)


def compared_text(comparison: Compared) -> str:
    rows = [
        f"{name}  {row.id:>5}  {row.at[:19].replace('T', ' ')}  {row.label}  {figure(row)}  {_device(row)}"
        for name, row in (("A", comparison.a), ("B", comparison.b))
    ]
    how = (
        "round by round, measured interleaved"
        if comparison.paired
        else "of medians, measured apart"
    )
    rows.append(
        f"B / A  {comparison.ratio:.3f}  ({comparison.low:.3f}-{comparison.high:.3f})  {how}"
    )
    rows.append(comparison.verdict)
    if not _same_device(comparison.a, comparison.b):
        rows.append("they ran on different devices: the ratio is of the devices too")
    return "\n".join(rows)


def figure(row: StoredFigure) -> str:
    if row.unit == "seconds":
        return f"{row.kind} {row.value * 1e3:.3f} ms"
    return f"{row.kind} {row.value:,.0f} {row.unit}"


def _spread(row: StoredFigure) -> str:
    low, middle, high = _quarters(row.rounds)
    return f"{(high - low) / 2 / middle:.1%}" if len(row.rounds) > 1 and middle else ""


def _device(row: StoredFigure) -> str:
    device = row.device
    notes = ", ".join(row.details.get("notes", ()))
    named = device.get("cpu", "") if row.kind == "measured" else notes
    threads = row.settings.get("threads") if row.unit == "seconds" else 0
    parts = [device["address"], named, f"{threads} threads" if threads else ""]
    return "  ".join(part for part in parts if part)
