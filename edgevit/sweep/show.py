"""Output of a sweep: a text table, JSON and a picture of the trade-offs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgevit.support.pareto_plot import Dot, Panel, best_of, pareto_svg
from edgevit.support.quoting import markdown, markdown_code
from edgevit.sweep.job import Result

MARKDOWN, JSON, PICTURE = "sweep.md", "sweep.json", "pareto.svg"
_HEAD = ("model", "target", "format", "precision", "passed", "cosine", "MB", "figure", "spread", "RAM, bytes", "on", "s")  # fmt: skip


def write_sweep(results: Sequence[Result], output: Path, command: str) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = [
        "# Sweep",
        "",
        f"Written by {markdown_code(command)}. *measured* figures are latencies of `on`, the median of rounds; *emulated* ones are exact "
        "counts of instructions. Bold: nothing else in its panel is both faster and smaller.",
        "",
        *table(results),
        "",
        f"![trade-offs]({PICTURE})",
        *_errors(results),
    ]
    (output / MARKDOWN).write_text("\n".join(text) + "\n")
    entries = {"schema": 1, "command": command, "results": [asdict(r) for r in results]}
    (output / JSON).write_text(json.dumps(entries, indent=1, allow_nan=False) + "\n")
    (output / PICTURE).write_text(pareto_svg(panels(results)))


def table(results: Sequence[Result]) -> list[str]:
    best = {dot.label for panel in panels(results) for dot in best_of(panel.dots)}
    rows = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    return rows + ["| " + " | ".join(_cells(result, best)) + " |" for result in results]


def panels(results: Sequence[Result]) -> list[Panel]:
    """Return one panel per target, device and kind of figure: only those are comparable."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if result.kind and not result.error:
            key = result.job["target"], result.job["on"], result.kind
            groups.setdefault(key, []).append(result)
    return [_panel(*key, group) for key, group in groups.items()]


def _panel(target: str, on: str, kind: str, group: Sequence[Result]) -> Panel:
    title = f"{target}, {kind} on {on}"
    if all(result.instructions is not None for result in group):
        dots = [Dot(r.instructions or 0, r.ram_bytes or 0, _label(r)) for r in group]
        return Panel(title, "instructions", "RAM, bytes", tuple(dots))
    timed = [r for r in group if r.latency_ms is not None]
    dots = [Dot(r.latency_ms or 0.0, r.bytes or 0, _label(r)) for r in timed]
    return Panel(title, "latency, ms", "size, bytes", tuple(dots))


def _label(result: Result) -> str:
    job = result.job
    return f"{job['model'].rpartition(':')[2]} {job['format']} {job['precision']}"


def _cells(result: Result, best: set[str]) -> list[str]:
    job = result.job
    figure = ""
    if result.latency_ms is not None:
        figure = f"{result.latency_ms:.3g} ms, {result.kind}"
    elif result.instructions is not None:
        figure = f"{result.instructions:,} instructions, {result.kind}"
    name = markdown(job["model"])
    return [
        f"**{name}**" if _label(result) in best and figure else name,
        markdown(job["target"]),
        job["format"],
        job["precision"],
        "error" if result.error else "yes" if result.passed else "NO",
        "" if result.cosine is None else f"{result.cosine:.6f}",
        "" if result.bytes is None else f"{result.bytes / 1e6:.2f}",
        figure,
        "" if result.spread is None else f"{result.spread:.1%}",
        "" if result.ram_bytes is None else f"{result.ram_bytes:,}",
        markdown(job["on"]) or "nowhere",
        "" if result.seconds is None else f"{result.seconds:.0f}",
    ]


def _errors(results: Sequence[Result]) -> list[str]:
    wrong = [r for r in results if r.error]
    if not wrong:
        return []
    return [
        "",
        "## Errors",
        "",
        *(
            f"- {markdown(_label(r))} for {markdown(r.job['target'])}: {markdown(r.error)}"
            for r in wrong
        ),
    ]
