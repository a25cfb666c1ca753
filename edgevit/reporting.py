"""`edgevit report`: the page of an exported folder again, with what was measured since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.errors import EdgevitError, OutputError, StoreError, UsageError
from edgevit.exported_folder import exported_here, read_manifest, require_untouched
from edgevit.manifest_file import write_manifest
from edgevit.measure.latest import latest_latency
from edgevit.output import file_entry
from edgevit.pareto_plot import Dot, Panel, pareto_svg
from edgevit.profiling import profile
from edgevit.report import PAGE
from edgevit.report_page.cost import Timings, Trade
from edgevit.report_page.page import page
from edgevit.support.shape import (
    Anything,
    Either,
    Listing,
    Null,
    Number,
    Table,
    Whole,
    require_shape,
)
from edgevit.support.strangers_text import read_json
from edgevit.support.whole_file import write_whole
from edgevit.sweep.job import result_of
from edgevit.sweep.show import panels

_FIGURES = Table(
    dict.fromkeys(("instructions", "ram_bytes", "ms"), Number()),
    optional=("instructions", "ram_bytes", "ms"),
    others=Anything(),
)
_TRIAL = Table(
    {"number": Whole(0, 1 << 62), "figures": _FIGURES, "drop": Either((Number(), Null()))},
    optional=("figures", "drop"),
    others=Anything(),
)
_TRIALS = Listing(_TRIAL)
_SWEPT = Table({"results": Listing(Anything())}, others=Anything())


def report(
    directory: str | Path,
    output: str | Path | None = None,
    *,
    measure: bool = False,
    trades: Sequence[str | Path] = (),
    store: str | None = None,
    threads: int = 0,
    rounds: int = 20,
    trust: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Where it was written: `report.html` in the folder, whose manifest then lists it as it is, or `output`."""
    folder = Path(directory)
    manifest = read_manifest(folder)
    require_untouched(
        folder, manifest, but={PAGE}
    )  # a kill between page and manifest is mended here
    if measure:
        timings = _measured(folder, threads, rounds, trust, progress)
    else:
        timings = _kept(folder, manifest, store)
    text = page(folder, manifest, timings, [_trade(Path(path)) for path in trades])
    target = folder / PAGE if output is None else Path(output)
    try:
        write_whole(target, text.encode())
        if output is None:
            others = [entry for entry in manifest["files"] if entry["path"] != PAGE]
            files = sorted([*others, file_entry(target, folder)], key=lambda e: str(e["path"]))
            # Somebody else's folder does not become ours by being read.
            write_manifest(folder, {**manifest, "files": files}, sealed=exported_here(folder))
    except OSError as error:
        raise OutputError(f"cannot write {target}", why=str(error)) from error
    return target


def _measured(
    folder: Path, threads: int, rounds: int, trust: bool, progress: Callable[[str], None]
) -> Timings:
    found = profile([folder], threads=threads, rounds=rounds, ops=True, trust=trust, progress=progress)  # fmt: skip
    (one,) = found.measured
    ops = [{"op": t.op, "place": t.place, "unit": t.unit, "ms": t.seconds * 1e3} for t in one.ops]
    low, median, high = (s * 1e3 for s in (one.latency.low, one.latency.median, one.latency.high))
    where = f"{found.host}, {found.threads} threads"
    return Timings(median, low, high, where, found.when, ops, one.ops_missing)


def _kept(folder: Path, manifest: Mapping[str, Any], store: str | None) -> Timings | None:
    """A store that cannot be read is no reason to have no report, unless it was asked for."""
    try:
        row = latest_latency(folder, manifest, store=store)
    except StoreError:
        if store is not None:
            raise
        return None
    if row is None:
        return None
    low, median, high = (float(x) * 1e3 for x in np.percentile(row.rounds, [25, 50, 75]))
    details, device = row.details, row.device
    ops = [
        {"op": t["op"], "place": t["place"], "unit": t["unit"], "ms": t["seconds"] * 1e3}
        for t in details.get("ops", ())
    ]
    where = ", ".join(str(device[key]) for key in ("address", "cpu", "os") if device.get(key))
    return Timings(median, low, high, where, row.at, ops, details.get("ops_missing", ""))


def _trade(path: Path) -> Trade:
    """What `edgevit sweep` or `edgevit tune` wrote: its folder, or the JSON in it."""
    if path.is_dir():
        found = [path / name for name in ("sweep.json", "trials.json") if (path / name).is_file()]
        if not found:
            raise UsageError(
                f"{path} holds neither sweep.json nor trials.json",
                hint="give a folder that `edgevit sweep` or `edgevit tune` wrote",
            )
        path = found[0]
    try:
        content = read_json(path)
        if isinstance(content, dict):
            require_shape(content, _SWEPT)
            drawn = panels([result_of(entry) for entry in content["results"]])
        else:
            require_shape(content, _TRIALS)
            drawn = _tuned(content)
    except (OSError, ValueError, KeyError, EdgevitError) as error:
        raise UsageError(
            "the trade-offs cannot be read",
            where=str(path),
            why=str(error) or type(error).__name__,
            hint="give the trials.json of a tuning or the JSON of a sweep",
        ) from error
    return Trade(f"{path.parent.name}/{path.name}", pareto_svg(drawn))


def _tuned(trials: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Instructions and RAM of firmware; of the others, latency and what it costs in nearness."""
    done = [trial for trial in trials if trial.get("figures")]
    firmware = [t for t in done if "instructions" in t["figures"]]
    if firmware:
        dots = [Dot(t["figures"]["instructions"], t["figures"]["ram_bytes"], f"#{t['number']}") for t in firmware]  # fmt: skip
        return [Panel("trials, emulated", "instructions", "RAM, bytes", tuple(dots))]
    timed = [t for t in done if "ms" in t["figures"]]
    dots = [Dot(t["figures"]["ms"], float(t.get("drop") or 0), f"#{t['number']}") for t in timed]
    return [Panel("trials, measured", "latency, ms", "drop", tuple(dots))]
