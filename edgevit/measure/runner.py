"""Runners: where artifacts are measured. One interface, chosen by an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgevit.errors import UsageError, suggest
from edgevit.plugins import Registry
from edgevit.support.backend_info import BACKENDS

if TYPE_CHECKING:
    from edgevit.measure.device import DeviceState
    from edgevit.measure.figures import Figures, Session, Settings
    from edgevit.measure.timing import Subject

Progress = Callable[[str], None]
Landed = Callable[["Figures"], None]  # called as soon as a figure is final, so that it can be kept


class Runner(Protocol):
    address: str
    by_turns: bool  # figures of one session belong together; else each stands alone
    knows_device: (
        bool  # `device` tells one from another; else figures are kept, and never taken for new ones
    )

    def device(self) -> DeviceState:
        """The state of the device now."""
        ...

    def subject(self, path: str | Path) -> Subject:
        """What is at `path`, if this runner can run it; an `EdgevitError` that says why not."""
        ...

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        """What of the settings, and of the tools it uses here, a figure depends on."""
        ...

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = ...,
        landed: Landed = ...,
    ) -> Session:
        """One `Figures` for each, in order. What fails has its error, and the others go on; if all fail it is raised."""
        ...


def _own() -> dict[str, str]:
    """Ours, and those that a backend of ours brings."""
    modules = {
        "local": "local",
        "emulator": "emulated",
        "ssh": "ssh",
        "adb": "adb",
        "serial": "serial",
        "mac": "apple",
        "iphone": "apple",
    }
    places = {scheme: f"edgevit.measure.{name}:open_runner" for scheme, name in modules.items()}
    return places | {scheme: place for info in BACKENDS.values() for scheme, place in info.runners}


OpenRunner = Callable[[str], Runner]
RUNNERS: Registry[OpenRunner] = Registry("edgevit.runners", _own)  # by the scheme of an address
ADDRESSES = (
    "local",
    "emulator",
    "ssh://user@host[:port]",
    "adb[:serial]",
    "serial:/dev/tty...",
    "tvm://tracker:port/key",
    "mac",
    "iphone",
)


def open_runner(address: str = "local") -> Runner:
    """Nothing is connected yet: an unreachable device is an error when it is first asked."""
    scheme = re.split("[:?]", address, maxsplit=1)[0]
    if scheme not in RUNNERS:
        raise UsageError(
            f"no runner is called `{address}`",
            where="--on",
            why="it is one of " + ", ".join(ADDRESSES),
            hint=suggest(scheme, RUNNERS),
        )
    return RUNNERS[scheme](address)


def plain(address: str, scheme: str) -> None:
    """For runners whose address is a single word."""
    if address != scheme:
        raise UsageError(f"`{address}` has more than `{scheme}`", hint=f"--on {scheme}")
