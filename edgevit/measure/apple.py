"""`mac` and `iphone[:name]`: Core ML on this Mac or a connected iPhone.

Timed by coremltools' own benchmarker.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

from edgevit.backends.coreml import INFO
from edgevit.errors import DeviceError, UsageError
from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.timing import Opened, Opener, Subject, subject_of


def open_runner(address: str) -> AppleRunner:
    scheme, _, name = address.partition(":")
    if scheme == "mac" and name:
        raise UsageError(f"`{address}` has more than `mac`", hint="--on mac, or iphone:NAME")
    return AppleRunner(address, scheme == "iphone", name)


class AppleRunner(ByTurns):
    def __init__(self, address: str, remote: bool, name: str) -> None:
        self.address = address
        self._remote, self._name = remote, name

    def device(self) -> DeviceState:
        self._require_mac()
        here = replace(this_device(), address=self.address)
        if not self._remote:
            return here
        from edgevit.backends.coreml import connected_phone

        phone = connected_phone(self._name)
        return replace(
            here,
            cpu=str(phone.name),
            cores=1,
            memory_mb=None,
            os=f"iOS {phone.os_version} ({phone.os_build_number})",
            load=None,
            machine="arm64",
            serial=str(phone.udid),
        )

    def subject(self, path: str | Path) -> Subject:
        self._require_mac()
        subject = subject_of(path, here=False)
        if subject.format != INFO.name:
            raise UsageError(
                f"a {subject.format} artifact is not run by Core ML",
                where=str(subject.path),
                hint="export for an iPhone: --target iphone",
            )
        return subject

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        def opened(subject: Subject, threads: int) -> Opened:
            from edgevit.backends.coreml import OpenedPackage

            name = self._name if self._remote else None
            return OpenedPackage(subject.path, name, settings.limit)

        return opened

    def _require_mac(self) -> None:
        if platform.system() != "Darwin":
            raise DeviceError(
                f"`--on {self.address}` needs a Mac",
                why=f"this is {platform.system()}; Core ML runs on Apple's systems alone"
                + (", and iPhones are reached from a Mac with Xcode" if self._remote else ""),
                hint="run the same command on a Mac; `edgevit export` predicts each op's unit here",
            )
