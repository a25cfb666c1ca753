"""Matrix as text, CSV and a page of the docs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path

from edgevit.matrix.run import EAGER, Matrix, MatrixRow, is_calibrated
from edgevit.quantize import NOISE
from edgevit.support.quoting import markdown, markdown_code

MARKDOWN, CSV, JSON = "matrix.md", "matrix.csv", "matrix.json"


def matrix_text(matrix: Matrix) -> str:
    head = [
        "model",
        "target",
        "format",
        "precision",
        "rel. L2",
        "cosine",
        "MB",
        "convert s",
        "ms here",
        "x eager",
        "outside",
        "RAM KB",
        "cycles",
    ]
    eager = {(r.model, r.target): r.latency_ms for r in matrix.rows if r.format == EAGER}
    lines = [head]
    for row in matrix.rows:
        base = eager.get((row.model, row.target))
        lines.append(
            [
                row.model,
                row.target,
                row.format,
                row.precision or "-",
                *_figures(row),
                _ratio(row.latency_ms, base),
                _outside(row),
                _shown(row.ram_bytes and row.ram_bytes / 1024, ",.0f"),
                _shown(row.cycles, ",d"),
            ]
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    text = [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    errors = [f"{r.model} {r.target} {r.format}: {r.error}" for r in matrix.rows if r.error]
    return "\n".join([*text, "", *_remarks(matrix), *errors])


def _remarks(matrix: Matrix) -> list[str]:
    """Return what the figures are, and are not."""
    host = matrix.about["host"]
    rows = [f"ms: measured on this machine, {host['cpu']}, not on the targets"]
    if any(row.cycles or row.ram_bytes for row in matrix.rows):
        rows.append("RAM and cycles: predicted by the chip's own compiler")
    if matrix.about["calibrate"] == NOISE and any(is_calibrated(r.format) for r in matrix.rows if r.format != EAGER):  # fmt: skip
        rows.append(
            "integer ranges are those of generated noise: --calibrate FOLDER takes pictures"
        )
    return rows


def _failure(row: MatrixRow) -> str:
    """Return a word for a row that did not pass: refused with an error, or computed wrongly."""
    if row.passed is not False:
        return ""
    return "refused" if row.error else "FAILED"


def _figures(row: MatrixRow) -> list[str]:
    return [
        _failure(row) or _shown(row.rel_l2, ".1e"),
        _shown(row.cosine, ".6f"),
        _shown(row.bytes and row.bytes / 1e6, ".1f"),
        _shown(row.convert_seconds, ".1f"),
        _shown(row.latency_ms, ".2f"),
    ]


def _ratio(mine: float | None, eager: float | None) -> str:
    return f"{mine / eager:.2f}" if mine and eager else "-"


def _outside(row: MatrixRow) -> str:
    return "-" if row.ops_outside is None else f"{row.ops_outside} ({row.delegates} pieces)"


def _shown(figure: float | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)


def matrix_csv(matrix: Matrix) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(MatrixRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in matrix.rows)
    return out.getvalue()


def matrix_markdown(matrix: Matrix, command: str) -> str:
    """Return the docs page: one table per metric, with a row per net and a column per format."""
    about = matrix.about
    host = about["host"]
    formats = [f for f in dict.fromkeys(r.format for r in matrix.rows) if f != EAGER]
    rows = [
        "# Every net in every runtime",
        "",
        f"Written by {markdown_code(command)}. Figures are `measured` on {host['cpu']}, {host['cores']} cores, {host['os']}, "
        f"{about['threads']} threads, {about['when'][:10]}, with "
        + ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        + f". Live random weights, each net's own resolution, batch 1, {_precisions(matrix)}. Every artifact was run from disk in its own "
        "runtime; latency is the median of interleaved rounds, each runtime in a process of its own.",
        "",
        *_tally(matrix, formats),
        "",
        "## Latency on that machine, ms",
        "",
        *_table(matrix, [EAGER, *formats], _latency_cell),
        "",
        "## Relative L2 against PyTorch",
        "",
        "The limit is 1e-4 for fp32.",
        "",
        *_table(matrix, formats, lambda row, _: _shown(row.rel_l2, ".1e")),
        "",
        "## Size, time to convert, and ops outside the delegate",
        "",
        "MB / seconds of lowering alone / ops that the runtime's accelerated part leaves to plain kernels.",
        "",
        *_table(matrix, formats, _cost_cell),
        "",
    ]
    if any(row.cycles for row in matrix.rows):
        rows += ["## RAM in KB and cycles, as the chip's own compiler predicts", ""]
        rows += [*_table(matrix, formats, _predicted_cell), ""]
    refused = [
        f"- {markdown(r.model)}, {r.format}: {markdown(r.error)}" for r in matrix.rows if r.error
    ]
    if refused:
        rows += ["## Refused", "", *refused, ""]
    return "\n".join(rows)


def _tally(matrix: Matrix, formats: Iterable[str]) -> list[str]:
    rows = [
        "| format | nets that pass | latency against PyTorch, geometric mean | fastest of the formats |",
        "|---|---|---|---|",
    ]
    eager = {r.model: r.latency_ms for r in matrix.rows if r.format == EAGER}
    best: dict[str, MatrixRow] = {}
    for row in matrix.rows:
        if row.format != EAGER and row.latency_ms is not None:
            fastest = best.get(row.model)
            if fastest is None or row.latency_ms < (fastest.latency_ms or math.inf):
                best[row.model] = row
    for format in formats:
        mine = [r for r in matrix.rows if r.format == format]
        logs = [
            math.log(r.latency_ms / base)
            for r in mine
            if r.latency_ms and (base := eager.get(r.model))
        ]
        mean = f"x{math.exp(sum(logs) / len(logs)):.2f}" if logs else "-"
        passed = sum(bool(r.passed) for r in mine)
        first = sum(row.format == format for row in best.values())
        rows.append(f"| {format} | {passed} of {len(mine)} | {mean} | {first} of {len(best)} |")
    return rows


def _table(
    matrix: Matrix, formats: list[str], cell: Callable[[MatrixRow, float | None], str]
) -> list[str]:
    by_key = {(r.model, r.target, r.format): r for r in matrix.rows}
    several = len({r.target for r in matrix.rows}) > 1
    rows = ["| net | " + " | ".join(formats) + " |", "|---" * (len(formats) + 1) + "|"]
    for model, target in dict.fromkeys((r.model, r.target) for r in matrix.rows):
        mine = [by_key.get((model, target, format)) for format in formats]
        times = [r.latency_ms for r in mine if r and r.latency_ms and r.format != EAGER]
        least = min(times, default=None)
        cells = [_cell(row, least, cell) for row in mine]
        name = model.removeprefix("timm:") + (f" for {target}" if several else "")
        rows.append(f"| {markdown(name)} | " + " | ".join(cells) + " |")
    return rows


def _cell(
    row: MatrixRow | None, least: float | None, cell: Callable[[MatrixRow, float | None], str]
) -> str:
    if row is None:
        return ""
    failure = _failure(row)
    return f"**{failure}**" if failure == "FAILED" else failure or cell(row, least)


def _latency_cell(row: MatrixRow, least: float | None) -> str:
    shown = _shown(row.latency_ms, ".2f")
    return f"**{shown}**" if least is not None and row.latency_ms == least else shown


def _cost_cell(row: MatrixRow, _: float | None) -> str:
    size = _shown(row.bytes and row.bytes / 1e6, ".1f")
    outside = "-" if row.ops_outside is None else str(row.ops_outside)
    return f"{size} / {_shown(row.convert_seconds, '.1f')} / {outside}"


def _predicted_cell(row: MatrixRow, _: float | None) -> str:
    ram = _shown(row.ram_bytes and row.ram_bytes / 1024, ",.0f")
    return f"{ram} / {row.cycles:,d}" if row.cycles else ""


def _precisions(matrix: Matrix) -> str:
    """Return "fp32", or the formats of each precision."""
    formats: dict[str, list[str]] = {}
    for row in matrix.rows:
        if row.precision and row.format not in formats.setdefault(row.precision, []):
            formats[row.precision].append(row.format)
    if len(formats) == 1:
        return next(iter(formats))
    return "; ".join(f"{precision}: {', '.join(names)}" for precision, names in formats.items())


def write_matrix(matrix: Matrix, folder: Path, command: str) -> None:
    import json

    (folder / JSON).write_text(json.dumps(matrix.as_dict(), indent=2) + "\n")
    (folder / CSV).write_text(matrix_csv(matrix))
    (folder / MARKDOWN).write_text(matrix_markdown(matrix, command))
