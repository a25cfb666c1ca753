"""`local`: this machine."""

from __future__ import annotations

from pathlib import Path

from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.runner import plain
from edgevit.measure.timing import OpenedHere, Opener, Subject, subject_of


def open_runner(address: str) -> LocalRunner:
    plain(address, "local")
    return LocalRunner()


class LocalRunner(ByTurns):
    address = "local"

    def device(self) -> DeviceState:
        return this_device()

    def subject(self, path: str | Path) -> Subject:
        return subject_of(path)

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> OpenedHere:
            return OpenedHere(subject, threads, settings.limit)

        return opened
