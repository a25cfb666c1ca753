"""Sequential measurement, where interleaving gains nothing.

Counts are exact, or the device times itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Figures, MeasuredSession, Settings, raise_if_all_lost
from edgevit.measure.runner import OnResult, Progress
from edgevit.measure.timing import Subject
from edgevit.support.host import now


class SequentialRunner(ABC):
    """Base class of runners that do not interleave artifacts."""

    interleaved = False
    cacheable = True

    @abstractmethod
    def device(self) -> DeviceState: ...

    @abstractmethod
    def figures(self, subject: Subject, settings: Settings, progress: Progress) -> Figures:
        """Return the figures of one artifact, with its error if it fails."""

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = lambda _: None,
        on_result: OnResult = lambda _: None,
    ) -> MeasuredSession:
        figures = []
        for subject in subjects:
            progress(f"run {subject.label}")
            figures.append(self.figures(subject, settings, progress))
            if figures[-1].error is None:
                on_result(figures[-1])
        raise_if_all_lost(figures)
        return MeasuredSession(tuple(figures), self.device(), settings, now())
