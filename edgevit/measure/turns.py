"""By turns on any device: from what was asked to a `Session`, by `profiling.measure`."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.host import now
from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Figures, Session, Settings, lost
from edgevit.measure.runner import Landed, Progress
from edgevit.profiling import Lost, Measured, Opener, Subject, measure


def by_turns(
    subjects: Sequence[Subject],
    device: DeviceState,
    settings: Settings,
    opener: Opener,
    progress: Progress,
    landed: Landed,
) -> Session:
    report = measure(
        subjects,
        threads=settings.threads,
        rounds=settings.rounds,
        warmup=settings.warmup,
        ops=settings.ops,
        opener=opener,
        host=device,
        lose=True,
        progress=progress,
    )
    when = now()
    by_subject = {id(entry.subject): entry for entry in (*report.measured, *report.lost)}
    figures = tuple(_figures(by_subject[id(subject)], when) for subject in subjects)
    for one in figures:
        if one.error is None:
            landed(one)
    return Session(figures, device, settings, when)


def _figures(entry: Measured | Lost, when: str) -> Figures:
    if isinstance(entry, Lost):
        return lost(entry.subject, entry.error, "measured", "seconds")
    return Figures(
        entry.subject,
        "measured",
        "seconds",
        entry.latency.rounds,
        entry.ratio,
        entry.ratio_spread,
        entry.ops,
        entry.ops_missing,
        notes=entry.notes,
        when=when,
    )


def turns_key(subject: Subject, settings: Settings) -> dict[str, object]:
    kept = {name: getattr(settings, name) for name in ("rounds", "warmup", "ops")}
    return {"threads": subject.threads or settings.threads, **kept}
