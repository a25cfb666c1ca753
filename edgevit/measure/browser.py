"""`browser[:runtime]`: the page of an export in a browser of this machine, timed by the page's clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgevit.backends import OpTime, fitted
from edgevit.backends.browser import RUNTIMES, open_in_browser, versions
from edgevit.errors import UsageError, suggest
from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.served import page_of
from edgevit.measure.timing import Opener, Subject, drawn


def open_runner(address: str) -> BrowserRunner:
    runtime = address.partition(":")[2]
    if runtime and runtime not in RUNTIMES:
        raise UsageError(
            f"the page has no runtime `{runtime}`",
            where="--on",
            why=f"it has {', '.join(RUNTIMES)}",
            hint=suggest(runtime, RUNTIMES) or f"--on browser:{RUNTIMES[0]}",
        )
    return BrowserRunner(address, runtime or None)


class BrowserRunner(ByTurns):
    def __init__(self, address: str, runtime: str | None) -> None:
        self.address, self._runtime = address, runtime

    def device(self) -> DeviceState:
        return replace(this_device(), address=self.address, versions=versions())

    def subject(self, path: str | Path) -> Subject:
        return page_of(path)

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return {**super().settings_key(subject, settings), "runtime": self._runtime}

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> OpenedPage:
            return OpenedPage(subject, self._runtime, threads, settings.limit)

        return opened


class OpenedPage:
    def __init__(self, subject: Subject, runtime: str | None, threads: int, limit: float) -> None:
        self._session = open_in_browser(subject.path, runtime, threads, limit)
        inputs = subject.inputs or [drawn(spec) for spec in self._session.inputs]
        self._arrays = fitted(self._session.inputs, inputs, str(subject.path))
        self.threads = self._session.threads
        self.notes = (f"{self._session.runtime} in {self._session.browser.offered.agent}",)

    def seconds(self, runs: int) -> list[float]:
        return self._session.seconds(self._arrays, runs)

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        return ()

    def close(self) -> None:
        self._session.browser.close()
