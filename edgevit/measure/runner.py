"""Runners, on which artifacts are measured: one interface, selected by an address."""

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
    from edgevit.measure.figures import Figures, MeasuredSession, Settings
    from edgevit.measure.timing import Subject

Progress = Callable[[str], None]
OnResult = Callable[["Figures"], None]  # called when a figure is final, to store it


class Runner(Protocol):
    address: str
    interleaved: bool  # interleaved: figures of one session belong together
    cacheable: bool  # devices can be told apart; else stored figures are never reused

    def device(self) -> DeviceState:
        """Return the current state of the device."""
        ...

    def subject(self, path: str | Path) -> Subject:
        """Return the subject at `path`. Raises an `EdgevitError` if this runner cannot run it."""
        ...

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        """Return the settings, and the host tools used, that a figure depends on."""
        ...

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = ...,
        on_result: OnResult = ...,
    ) -> MeasuredSession:
        """Measure the subjects. Return one `Figures` for each, in order.

        A subject that fails has its error there. The error is raised if all fail.
        """
        ...


def _own() -> dict[str, str]:
    """Return the built-in runners, and those of the built-in backends."""
    return {_scheme(address): place for address, place in _places().items()}


def _places() -> dict[str, str]:
    """Map addresses, as an error shows them, to places of `open_runner`."""
    modules = {
        "local": "local",
        "emulator": "emulated",
        "ssh://user@host[:port]": "ssh",
        "adb[:serial]": "adb",
        "aihub:device": "cloud.aihub",
    }
    places = {address: f"edgevit.measure.{name}:open_runner" for address, name in modules.items()}
    return places | dict(pair for info in BACKENDS.values() for pair in info.runners)


def _scheme(address: str) -> str:
    return re.split(r"[:?\[]", address, maxsplit=1)[0]


OpenRunner = Callable[[str], Runner]
RUNNERS: Registry[OpenRunner] = Registry("edgevit.runners", _own)  # by the scheme of an address


def addresses() -> tuple[str, ...]:
    """Return the form of every runner's address. A plugin's is shown by its scheme."""
    own = tuple(_places())
    return (*own, *(scheme for scheme in RUNNERS if scheme not in map(_scheme, own)))


def open_runner(address: str = "local") -> Runner:
    """Open a runner by its address.

    It connects later: an unreachable device raises an error on first use.
    """
    scheme = _scheme(address)
    if scheme not in RUNNERS:
        raise UsageError(
            f"no runner is called `{address}`",
            where="--on",
            why="it is one of " + ", ".join(addresses()),
            hint=suggest(scheme, RUNNERS),
        )
    return RUNNERS[scheme](address)


def plain(address: str, scheme: str) -> None:
    """Refuse an address with parameters, for runners whose address is the scheme alone."""
    if address != scheme:
        raise UsageError(f"`{address}` has more than `{scheme}`", hint=f"--on {scheme}")
