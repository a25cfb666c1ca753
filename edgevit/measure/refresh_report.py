"""`edgevit report`: render the report page of an exported folder again, with newer figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.errors import OutputError, StoreError
from edgevit.exported import (
    PAGE,
    Comparison,
    Exported,
    Timings,
    Trade,
    compare,
    explorer_files,
    exported_here,
    file_entry,
    page,
    read_manifest,
    require_untouched,
    write_manifest,
)
from edgevit.measure.latest import latest_latency
from edgevit.measure.timing import Measured, ProfileReport, profile_here
from edgevit.support.whole_file import write_whole


@dataclass(frozen=True)
class Report:
    path: Path
    comparison: Comparison | None = None
    explorer: tuple[Path, ...] = ()  # the graph, then its overlays


def report(
    directory: str | Path,
    output: str | Path | None = None,
    *,
    against: str | Path | None = None,
    measure: bool = False,
    trades: Sequence[Trade] = (),
    store: str | None = None,
    threads: int = 0,
    rounds: int = 20,
    trust: bool = False,
    explorer: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Write the report: to `output`, or to `report.html` in the folder.

    In the folder, the manifest's entry for the report is updated. `against` is the folder of another
    export, which the report is to stand beside; it stays as it is. `explorer` is a folder for Model
    Explorer's files.
    """
    folders = [Path(path) for path in (directory, against) if path is not None]
    manifests = [_read(folder) for folder in folders]
    if measure:
        timings = _measured(folders, threads, rounds, trust, progress)
    else:
        timings = [_kept(*one, store) for one in zip(folders, manifests, strict=True)]
    first, *others = map(Exported, folders, manifests, timings)
    comparison = compare(first, others[0]) if others else None
    folder, manifest = first.folder, manifests[0]
    text = page(folder, manifest, first.timings, trades, comparison)
    target = folder / PAGE if output is None else Path(output)
    try:
        write_whole(target, text.encode())
        if output is None:
            others = [entry for entry in manifest["files"] if entry["path"] != PAGE]
            files = sorted([*others, file_entry(target, folder)], key=lambda e: str(e["path"]))
            # A folder that another user exported stays unsealed: reading it does not make it ours.
            write_manifest(folder, {**manifest, "files": files}, sealed=exported_here(folder))
    except OSError as error:
        raise OutputError(f"cannot write {target}", why=str(error)) from error
    if explorer is None:
        return Report(target, comparison)
    return Report(target, comparison, _write_explorer(first, Path(explorer)))


def _write_explorer(exported: Exported, folder: Path) -> tuple[Path, ...]:
    files = explorer_files(exported.folder, exported.manifest, exported.timings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_whole(folder / name, text.encode())
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}", where=str(folder), why=str(error), hint="--explorer DIR is a folder"
        ) from error  # fmt: skip
    return tuple(folder / name for name in files)


def _read(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    # Without the page: a kill between the writes of page and manifest is repaired by `report`.
    require_untouched(folder, manifest, but={PAGE})
    return manifest


def _measured(
    folders: Sequence[Path], threads: int, rounds: int, trust: bool, progress: Callable[[str], None]
) -> list[Timings]:
    profile = profile_here(folders, threads=threads, rounds=rounds, ops=True, trust=trust, progress=progress)  # fmt: skip
    return [_timings(profile, one) for one in profile.measured]


def _timings(profile: ProfileReport, one: Measured) -> Timings:
    ops = [{"op": t.op, "place": t.place, "unit": t.unit, "ms": t.seconds * 1e3} for t in one.ops]
    low, median, high = (s * 1e3 for s in (one.latency.low, one.latency.median, one.latency.high))
    where = f"{profile.host}, {profile.threads} threads"
    return Timings(median, low, high, where, profile.when, ops, one.ops_missing)


def _kept(folder: Path, manifest: Mapping[str, Any], store: str | None) -> Timings | None:
    """Return stored timings, or None. An unreadable store is ignored unless the user named one."""
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
