"""Interleaved measurement on any device: from subjects to a `MeasuredSession`, by `timing.measure`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Figures, MeasuredSession, Settings, lost
from edgevit.measure.runner import OnResult, Progress
from edgevit.measure.timing import FailedMeasurement, Measured, Opener, Subject, measure
from edgevit.support.host import now


class ByTurns(ABC):
    """Base class of runners that time artifacts interleaved."""

    interleaved = True
    cacheable = True

    @abstractmethod
    def device(self) -> DeviceState: ...

    @abstractmethod
    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        """Return a function that loads an artifact onto the device."""

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        values = {name: getattr(settings, name) for name in ("rounds", "warmup", "ops")}
        return {"threads": subject.threads or settings.threads, **values}

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = lambda _: None,
        on_result: OnResult = lambda _: None,
    ) -> MeasuredSession:
        device = self.device()
        report = measure(
            subjects,
            threads=settings.threads,
            rounds=settings.rounds,
            warmup=settings.warmup,
            ops=settings.ops,
            opener=self.opener(device, settings),
            host=device,
            keep_going=True,
            progress=progress,
        )
        when = now()
        by_subject = {id(entry.subject): entry for entry in (*report.measured, *report.lost)}
        figures = tuple(_figures(by_subject[id(subject)], when) for subject in subjects)
        for one in figures:
            if one.error is None:
                on_result(one)
        return MeasuredSession(figures, device, settings, when)


def _figures(entry: Measured | FailedMeasurement, when: str) -> Figures:
    if isinstance(entry, FailedMeasurement):
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
