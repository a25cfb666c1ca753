"""`local`: this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Session, Settings
from edgevit.measure.runner import Landed, Progress, plain
from edgevit.measure.turns import by_turns, turns_key
from edgevit.profiling import OpenedHere, Subject, subject_of


def open_runner(address: str) -> LocalRunner:
    plain(address, "local")
    return LocalRunner()


class LocalRunner:
    address = "local"
    by_turns = True
    knows_device = True

    def device(self) -> DeviceState:
        return this_device()

    def subject(self, path: str | Path) -> Subject:
        return subject_of(path)

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return turns_key(subject, settings)

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = lambda _: None,
        landed: Landed = lambda _: None,
    ) -> Session:
        def opener(subject: Subject, threads: int) -> OpenedHere:
            return OpenedHere(subject, threads, settings.limit)

        return by_turns(subjects, self.device(), settings, opener, progress, landed)
