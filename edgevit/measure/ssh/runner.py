"""Runner of ssh:// addresses."""

from __future__ import annotations

from pathlib import Path

from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.machines import require_machine
from edgevit.measure.ssh.address import address_of
from edgevit.measure.ssh.remote_artifact import OpenedThere
from edgevit.measure.ssh.shell import Shell
from edgevit.measure.ssh.state import state_of
from edgevit.measure.timing import Opener, Subject, require_timed, subject_of


def open_runner(address: str) -> SshRunner:
    return SshRunner(address)


class SshRunner(ByTurns):
    def __init__(self, address: str) -> None:
        self.address = address
        self._shell = Shell(address_of(address))

    def device(self) -> DeviceState:
        return state_of(self._shell)

    def subject(self, path: str | Path) -> Subject:
        subject = subject_of(path, here=False)
        require_timed(subject, self.address)
        return subject

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> OpenedThere:
            require_machine(subject, device.machine, self._shell.address.host)
            return OpenedThere(self._shell, subject, threads or device.cores, settings.limit)

        return opened
