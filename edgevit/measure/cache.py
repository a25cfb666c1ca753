"""Cached measurement: measure what the store does not hold, and add it to the store."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgevit.backends import FirmwareMemory, OpTime
from edgevit.errors import EdgevitError, StoreError, UsageError
from edgevit.exported import GOLDEN, MANIFEST, file_entry, read_manifest
from edgevit.measure.device import DeviceState
from edgevit.measure.figures import (
    Figures,
    LayerCost,
    MeasuredSession,
    Settings,
    lost,
    raise_if_all_lost,
)
from edgevit.measure.runner import Progress, Runner
from edgevit.measure.store import Store, StoredFigure
from edgevit.measure.timing import Subject, require_trusted
from edgevit.support.backend_info import firmware_formats
from edgevit.support.host import now


def measured(
    paths: Sequence[str | Path],
    runner: Runner,
    settings: Settings,
    store: Store | None = None,
    *,
    fresh: bool = False,
    progress: Progress = lambda _: None,
    more: Sequence[Subject] = (),
) -> MeasuredSession:
    """Measure artifacts, with figures from the store on a cache hit.

    Interleaved measurements are taken from the store as a whole session, exact figures one by one.
    `fresh`: ignore the store's figures. `more`: subjects beside those of the paths.
    """
    for path in paths:
        require_trusted(path, settings.trust)
    subjects = [*(runner.subject(path) for path in paths), *more]
    if not subjects:
        raise UsageError("nothing to measure", hint="give exported folders")
    if store is None:
        return runner.measure(subjects, settings, progress)
    device = runner.device()
    keys = [measurement_key(runner, subject, settings, device) for subject in subjects]
    fresh = fresh or not runner.cacheable
    if runner.interleaved:
        return _interleaved(subjects, keys, runner, settings, store, device, fresh, progress)
    return _one_by_one(subjects, keys, runner, settings, store, device, fresh, progress)


def _interleaved(
    subjects: Sequence[Subject],
    keys: Sequence[str],
    runner: Runner,
    settings: Settings,
    store: Store,
    device: DeviceState,
    fresh: bool,
    progress: Progress,
) -> MeasuredSession:
    stored = None if fresh else store.session(keys)
    if stored is not None:
        figures = tuple(
            _figures(row, subject) for row, subject in zip(stored, subjects, strict=True)
        )
        then = DeviceState(**stored[0].device)
        return MeasuredSession(figures, then, settings, stored[0].at, from_store=True)
    session = runner.measure(subjects, settings, progress)
    name = uuid.uuid4().hex
    rows = [
        stored_row(name, place, key, one, settings, session.device)
        for place, (key, one) in enumerate(zip(keys, session.figures, strict=True))
        if one.error is None
    ]
    return replace(session, unkept=_add(store, rows))


def _one_by_one(
    subjects: Sequence[Subject],
    keys: Sequence[str],
    runner: Runner,
    settings: Settings,
    store: Store,
    device: DeviceState,
    fresh: bool,
    progress: Progress,
) -> MeasuredSession:
    figures: list[Figures] = []
    unkept: EdgevitError | None = None
    reused = True
    for subject, key in zip(subjects, keys, strict=True):
        row = None if fresh else store.find(key)
        if row is not None:
            figure = _figures(row, subject)
            figures.append(replace(figure, notes=(*figure.notes, f"from the store, {row.at}")))
            continue
        reused = False
        try:
            new_session = runner.measure([subject], settings, progress)
        except EdgevitError as error:
            figures.append(lost(subject, error, "emulated", "instructions"))
            continue
        figures += new_session.figures
        session = uuid.uuid4().hex
        unkept = _add(
            store,
            [stored_row(session, 0, key, new_session.figures[0], settings, new_session.device)],
        )
    raise_if_all_lost(figures)
    when = max((one.when for one in figures), default=now())
    return MeasuredSession(tuple(figures), device, settings, when, reused, unkept)


def _add(store: Store, rows: Sequence[StoredFigure]) -> EdgevitError | None:
    """Add figures to the store. Return the error if that fails: the figures are reported anyway."""
    try:
        store.add(rows)
    except StoreError as error:
        return error
    return None


def measurement_key(
    runner: Runner, subject: Subject, settings: Settings, device: DeviceState
) -> str:
    facts = {
        "artifact": artifact_hash(subject),
        "device": device.identity(subject.format),
        "settings": runner.settings_key(subject, settings),
    }
    if subject.threads:
        facts["threads"] = subject.threads
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def artifact_hash(subject: Subject) -> str:
    """Return the hash of all files that affect a figure.

    Firmware's includes the golden input, by which its instructions are counted.
    """
    path = subject.path
    if subject.format == "eager":
        described = json.dumps(read_manifest(path)["model"], sort_keys=True)
        return _hash_of([path / GOLDEN], path, described)
    firmware = subject.format in firmware_formats()
    if path.is_file() and not firmware:
        beside = path.with_name(path.name + ".json")  # inputs of a TVM library
        return _hash_of([path, *([beside] if beside.is_file() else [])], path.parent)
    inside = sorted(p for p in path.parent.rglob("*") if p.is_file() and p.name != MANIFEST)
    if firmware:
        code = {".c", ".h", ".safetensors"}
        return _hash_of([p for p in inside if p.suffix in code], path.parent)
    return _hash_of([p for p in inside if path in p.parents], path.parent)


def _hash_of(files: Sequence[Path], folder: Path, more: str = "") -> str:
    entries = [file_entry(file, folder) for file in files]
    if len(entries) == 1 and not more:
        return str(entries[0]["sha256"])
    return hashlib.sha256((json.dumps(entries, sort_keys=True) + more).encode()).hexdigest()


def stored_row(
    session: str,
    place: int,
    key: str,
    one: Figures,
    settings: Settings,
    device: DeviceState,
) -> StoredFigure:
    about = _about(one.subject)
    return StoredFigure(
        key,
        session,
        place,
        one.when,
        one.subject.label,
        about.get("model", one.subject.label),
        about.get("target", ""),
        one.subject.format,
        about.get("precision", ""),
        artifact_hash(one.subject),
        asdict(device),
        asdict(settings),
        one.kind,
        one.unit,
        one.latency.median,
        one.rounds,
        _details(one),
    )


def _about(subject: Subject) -> dict[str, str]:
    folder = subject.path if subject.format == "eager" else subject.path.parent
    if not (folder / MANIFEST).is_file():
        return {}
    manifest = read_manifest(folder)
    if subject.format != "eager" and folder / manifest["artifact"] != subject.path:
        return {}
    return {
        "model": manifest["model"]["spec"],
        "target": manifest["target"],
        "precision": manifest["precision"],
    }


def _details(one: Figures) -> dict[str, Any]:
    return {
        "ratio": one.ratio,
        "ratio_spread": one.ratio_spread,
        "ops": [asdict(op) for op in one.ops],
        "ops_missing": one.ops_missing,
        "layers": [asdict(layer) for layer in one.layers],
        "memory": asdict(one.memory) if one.memory else None,
        "golden_match": one.golden_match,
        "notes": list(one.notes),
        "versions": one.subject.versions,
    }


def _figures(row: StoredFigure, subject: Subject) -> Figures:
    details = row.details
    spread = details["ratio_spread"]
    return Figures(
        subject,
        "emulated" if row.kind == "emulated" else "measured",
        _unit(row.unit),
        row.rounds,
        details["ratio"],
        (spread[0], spread[1]) if spread else None,
        tuple(OpTime(**op) for op in details["ops"]),
        details["ops_missing"],
        tuple(LayerCost(**layer) for layer in details["layers"]),
        FirmwareMemory(**details["memory"]) if details["memory"] else None,
        details["golden_match"],
        tuple(details["notes"]),
        when=row.at,
    )


def _unit(text: str) -> Any:
    if text not in {"seconds", "instructions", "ticks"}:
        raise StoreError(f"the store holds a figure in `{text}`", hint="upgrade edgevit")
    return text
