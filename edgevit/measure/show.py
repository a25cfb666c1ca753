"""Output of `edgevit profile`, as text and JSON. Every figure says how it was obtained."""

from __future__ import annotations

from dataclasses import asdict

from edgevit.measure.figures import Figures, MeasuredSession
from edgevit.measure.latency_table import latency_dict, ops_dicts, profile_text
from edgevit.measure.timing import Measured, ProfileReport
from edgevit.support.backend_info import firmware_formats

SCHEMA = 1
_LAYERS_SHOWN = 15


def session_dict(session: MeasuredSession) -> dict[str, object]:
    kinds = {one.kind for one in session.figures if one.error is None}
    return {
        "schema": SCHEMA,
        "kind": kinds.pop() if len(kinds) == 1 else "mixed",
        "when": session.when,
        "host": session.device.as_dict(),
        "threads": session.settings.threads or session.device.cores,
        "rounds": session.settings.rounds,
        "warmup": session.settings.warmup,
        "from_store": session.from_store,
        "results": [_figures_dict(one) for one in session.figures],
    }


def _figures_dict(one: Figures) -> dict[str, object]:
    timed = one.unit == "seconds" and one.error is None
    return {
        "label": one.subject.label,
        "format": one.subject.format,
        "path": str(one.subject.path),
        "versions": one.subject.versions,
        "kind": one.kind if one.error is None else None,
        "unit": one.unit if one.error is None else None,
        "value": one.value,
        "latency_ms": latency_dict(one.latency) if timed else None,
        "ratio": one.ratio,
        "ratio_spread": one.ratio_spread,
        "ops": ops_dicts(one.ops),
        "ops_missing": one.ops_missing,
        "layers": [asdict(layer) for layer in one.layers],
        "memory": asdict(one.memory) if one.memory else None,
        "golden_match": one.golden_match,
        "notes": list(one.notes),
        "error": one.error.as_dict() if one.error else None,
    }


def session_text(session: MeasuredSession) -> str:
    rows = []
    if session.from_store:
        rows += [f"from the store, measured before ({session.when}); --fresh measures again", ""]
    sound = [one for one in session.figures if one.error is None]
    timed = [one for one in sound if one.subject.format not in firmware_formats()]
    if timed:
        rows.append(profile_text(_report(session, timed), session.device.timed_by))
        rows += [f"{one.subject.label}: {note}" for one in timed for note in one.notes]
    for one in sound:
        if one.subject.format in firmware_formats():
            rows += _firmware_rows(one)
    for one in session.figures:
        if one.error is not None:
            rows += ["", f"{one.subject.label}: no figure", *str(one.error).splitlines()]
    return "\n".join(rows)


def _report(session: MeasuredSession, timed: list[Figures]) -> ProfileReport:
    device, settings = session.device, session.settings
    measured = tuple(
        Measured(
            one.subject, one.latency, one.ratio, one.ratio_spread, one.ops, one.ops_missing
        )
        for one in timed
    )  # fmt: skip
    return ProfileReport(
        measured,
        device,
        settings.threads or device.cores,
        len(timed[0].rounds),
        settings.warmup,
        session.when,
    )


def _firmware_rows(one: Figures) -> list[str]:
    in_time = one.unit == "seconds"
    scale, unit = (1e3, "ms") if in_time else (1.0, one.unit)
    value = one.latency.median * scale
    golden = {True: "equal, bit for bit", False: "NOT EQUAL", None: "not looked at"}
    rows = [
        one.subject.label + (f"   ({'; '.join(one.notes)})" if one.notes else ""),
        f"  {one.kind:<10} {value:{_digits(in_time)}} {unit}",
    ]
    if one.memory is not None:
        m = one.memory
        rows.append(f"  RAM        {m.ram:,} bytes: arena {m.arena:,}, stack {m.stack:,}, the rest static")  # fmt: skip
        rows.append(f"  flash      {m.flash:,} bytes")
    return [*rows, f"  golden     {golden[one.golden_match]}", *_layer_rows(one, scale, unit)]


def _layer_rows(one: Figures, scale: float, unit: str) -> list[str]:
    """Return a table of the most expensive firmware layers."""
    if not one.layers:
        return []
    dearest = sorted(one.layers, key=lambda layer: -layer.cost)
    digits = _digits(one.unit == "seconds")
    rows = ["", f"  layer                                   kind          {unit:>12}"]
    rows += [
        f"  {layer.name[-38:]:<38}  {layer.kind:<12} {layer.cost * scale:>13{digits}}"
        for layer in dearest[:_LAYERS_SHOWN]
    ]
    hidden = len(dearest) - _LAYERS_SHOWN
    return rows + ([f"  ... and {hidden} more"] if hidden > 0 else [])


def _digits(in_time: bool) -> str:
    return ",.3f" if in_time else ",.0f"
