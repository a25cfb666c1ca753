"""`edgevit matrix`: models x targets x formats on this machine, against the model in PyTorch.

Each model is exported in a process of its own, in all formats at once, then timed interleaved. The
results of a model and target are stored in the output folder: an interrupted run resumes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError
from edgevit.exported import SCHEMA, artifact_bytes, remove_export
from edgevit.graph.parity import is_run
from edgevit.measure import eager_subject, latency_dict, measure, subject_of
from edgevit.quantize import NOISE
from edgevit.support.backend_info import BACKENDS, host_formats, info_of
from edgevit.support.child import run_command
from edgevit.support.host import this_host
from edgevit.support.shape import (
    Either,
    Flag,
    Listing,
    Null,
    Number,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import read_json
from edgevit.targets import Target, load_target

EAGER = "eager"
_FIGURES = (
    "rel_l2",
    "cosine",
    "convert_seconds",
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
)
_COUNTS = ("bytes", "delegates", "ops_outside", "ram_bytes", "cycles")
_TEXT = Text(most=1 << 20, plain=False)
_ROW = Table(
    {
        **dict.fromkeys(("model", "target", "format", "precision", "error"), _TEXT),
        **dict.fromkeys(_FIGURES, Either((Number(), Null()))),
        **dict.fromkeys(_COUNTS, Either((WholeNumber(0, 1 << 62), Null()))),
        "passed": Either((Flag(), Null())),
    }
)
_ENTRY = Table(
    {
        "rows": Listing(_ROW),
        "when": _TEXT,
        "formats": Listing(Text()),
        "calibrate": _TEXT,
        "versions": Table(others=Text()),
    }
)


@dataclass(frozen=True)
class MatrixRow:
    """One model in one format for one target. None: unknown."""

    model: str
    target: str
    format: str  # or "eager"
    precision: str = ""
    passed: bool | None = None
    rel_l2: float | None = None  # of the artifact read from disk, worst stage
    cosine: float | None = None
    bytes: int | None = None
    convert_seconds: float | None = None  # lowering alone; the front half is shared
    latency_ms: float | None = None
    latency_low_ms: float | None = None
    latency_high_ms: float | None = None
    delegates: int | None = None
    ops_outside: int | None = None
    ram_bytes: int | None = None  # this and cycles: predicted by the chip's own compiler
    cycles: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Matrix:
    rows: tuple[MatrixRow, ...]
    about: dict[str, Any]  # when, where and with what the figures were measured

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows if row.format != EAGER)

    def as_dict(self) -> dict[str, object]:
        return {"schema": SCHEMA, **self.about, "rows": [asdict(row) for row in self.rows]}


@dataclass(frozen=True)
class MatrixOptions:
    formats: Sequence[str] | None = None  # None: all formats of the target that edgevit writes
    threads: int = 0
    rounds: int = 20
    keep: bool = False  # keep artifacts: a gigabyte per dozen nets
    fresh: bool = False
    calibrate: str = NOISE  # pictures that int8 chooses its ranges by


def matrix(
    models: Sequence[str],
    targets: Sequence[str],
    output: Path,
    options: MatrixOptions | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Matrix:
    """Export and time all models for all targets.

    A model that cannot be exported is a row with its error, and the others go on.
    """
    options = options or MatrixOptions()
    output.mkdir(parents=True, exist_ok=True)
    devices = [load_target(target) for target in targets]
    chosen = {device.name: _formats(device, options) for device in devices}
    rows: list[MatrixRow] = []
    versions: dict[str, str] = {}
    for model in models:
        for device in devices:
            progress(f"{model} for {device.name}")
            entry = _entry(model, device, chosen[device.name], output, options)
            rows += [MatrixRow(**row) for row in entry["rows"]]
            versions |= entry["versions"]
    about = {
        "kind": "measured",
        "when": max((row["when"] for row in _cached(output)), default=""),
        "host": this_host().as_dict(),
        "threads": options.threads or this_host().cores,
        "rounds": options.rounds,
        "calibrate": options.calibrate,
        "versions": versions,
    }
    return Matrix(tuple(rows), about)


def _formats(target: Target, options: MatrixOptions) -> list[str]:
    if options.formats is not None:
        return [target.format(format) for format in options.formats]
    return [format for format in target.formats if format in BACKENDS]


def _cached(output: Path) -> list[dict[str, Any]]:
    entries = [_cached_entry(path) for path in output.glob("*.entry.json")]
    return [entry for entry in entries if entry is not None]


def _cached_entry(path: Path) -> dict[str, Any] | None:
    """Return an earlier run's entry, or None if it is missing, damaged or invalid."""
    try:
        entry = read_json(path)
        require_shape(entry, _ENTRY)
    except (OSError, ValueError):
        return None
    return entry


def _entry(
    model: str, target: Target, formats: Sequence[str], output: Path, options: MatrixOptions
) -> dict[str, Any]:
    slug = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{model}-{target.name}")
    path, folder = output / f"{slug}.entry.json", output / slug
    entry = None if options.fresh else _cached_entry(path)
    whole = entry is not None and not any(row["error"] for row in entry["rows"])
    asked = {"formats": list(formats), "calibrate": options.calibrate}
    if entry is not None and whole and asked.items() <= entry.items():
        return entry  # entries with errors are retried
    exports = _export(model, target, formats, folder, options.calibrate)
    rows = {format: _exported(model, target, format, exports[format]) for format in formats}
    entry = _timed(model, target, rows, folder, options)
    entry |= {**asked, "versions": _versions(exports)}
    path.write_text(json.dumps(entry))
    if not options.keep:
        _clear(folder, formats)
    return entry


def _clear(folder: Path, formats: Sequence[str]) -> None:
    """Delete the exports. Other files stay."""
    for format in formats:
        remove_export(folder / format)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _export(
    model: str, target: Target, formats: Sequence[str], folder: Path, calibrate: str
) -> dict[str, dict[str, Any]]:
    """Run `edgevit export --json`. Return its answer per format: the manifest or the error."""
    device = target.name if target.family else str(target.file)
    words = ["export", model, "--target", device, "--format", ",".join(formats)]
    one = formats[0] if len(formats) == 1 else None
    words += ["-o", str(folder / one if one else folder), "--quiet", "--json"]
    if any(is_calibrated(format) for format in formats):
        words += ["--calibrate", calibrate]
    done = run_command(words)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.code}"]
        said = {"message": last[0]}
    if "exports" in said:
        return said["exports"]
    return dict.fromkeys(formats, said)  # one format, or an error that all share


def is_calibrated(format: str) -> bool:
    """Check whether a format is written in integers unless another precision is asked for."""
    info = info_of(format)
    return info.precisions[0] in info.calibrates


def _exported(model: str, target: Target, format: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one export, without latencies."""
    if "parity" not in said:
        error = ": ".join(part for part in (said.get("message"), said.get("why")) if part)
        return asdict(MatrixRow(model, target.name, format, passed=False, error=error))
    saved = [p for p in said["parity"] if p["stage"] != "rewritten"]
    delegation, predicted = said["delegation"] or {}, said.get("predicted", {})
    return asdict(
        MatrixRow(
            model,
            target.name,
            format,
            precision=said["precision"],
            passed=said["passed"],
            rel_l2=_worst([p["rel_l2"] for p in saved], max),
            cosine=_worst([p["cosine"] for p in saved], min),
            bytes=artifact_bytes(said),
            convert_seconds=said["stages"]["lower"]["seconds"],
            delegates=delegation.get("delegates"),
            ops_outside=delegation.get("ops_outside"),
            ram_bytes=predicted.get("ram_bytes"),
            cycles=predicted.get("cycles"),
        )
    ) | {"_directory": said["directory"], "_here": _runs_here(said)}


def _worst(figures: list[float | None], of: Callable[..., float]) -> float | None:
    measured = [figure for figure in figures if figure is not None]
    return of(measured) if measured and len(measured) == len(figures) else None


def _runs_here(said: dict[str, Any]) -> bool:
    return said["format"] in host_formats() and any(is_run(p["stage"]) for p in said["parity"])


def _timed(
    model: str,
    target: Target,
    rows: dict[str, dict[str, Any]],
    folder: Path,
    options: MatrixOptions,
) -> dict[str, Any]:
    """Add latencies, and the row of the model in PyTorch."""
    directories = {
        format: Path(row.pop("_directory")) for format, row in rows.items() if "_directory" in row
    }
    here = {format: path for format, path in directories.items() if rows[format].pop("_here")}
    when = ""
    if here:
        subjects = [subject_of(path) for path in here.values()]
        subjects.append(eager_subject(next(iter(here.values()))))
        try:
            report = measure(subjects, threads=options.threads, rounds=options.rounds)
        except EdgevitError as error:
            for format in here:
                rows[format]["error"] = f"not timed: {error.message}"
        else:
            rows[EAGER] = asdict(MatrixRow(model, target.name, EAGER))
            when = report.when
            for format, measured in zip([*here, EAGER], report.measured, strict=True):
                ms = latency_dict(measured.latency)
                rows[format] |= {
                    "latency_ms": ms["median"],
                    "latency_low_ms": ms["low"],
                    "latency_high_ms": ms["high"],
                }
    return {"rows": list(rows.values()), "when": when}


def _versions(exports: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: v for said in exports.values() for name, v in said.get("versions", {}).items()}
