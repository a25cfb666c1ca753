"""The runner of ssh:// addresses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Session, Settings
from edgevit.measure.machines import require_machine
from edgevit.measure.runner import Landed, Progress
from edgevit.measure.ssh.address import address_of
from edgevit.measure.ssh.opened import OpenedThere
from edgevit.measure.ssh.shell import Shell
from edgevit.measure.ssh.state import state_of
from edgevit.measure.turns import by_turns, turns_key
from edgevit.profiling import Subject, require_timed, subject_of


def open_runner(address: str) -> SshRunner:
    return SshRunner(address)


class SshRunner:
    by_turns = True
    knows_device = True

    def __init__(self, address: str) -> None:
        self.address = address
        self._shell = Shell(address_of(address))

    def device(self) -> DeviceState:
        return state_of(self._shell)

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        require_timed(subject, self.address)
        return subject

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return turns_key(subject, settings)

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = lambda _: None,
        landed: Landed = lambda _: None,
    ) -> Session:
        device = self.device()

        def opener(subject: Subject, threads: int) -> OpenedThere:
            require_machine(subject, device.machine, self._shell.address.host)
            return OpenedThere(self._shell, subject, threads or device.cores, settings.limit)

        return by_turns(subjects, device, settings, opener, progress, landed)
