"""Parser of the lines of a bundle's self-test:

edgevit selftest 1 <model>
layer <name> <ticks>         for each layer
total <ticks> <hz>           hz 0: the port has no clock
golden ok                    or bad
end
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from edgevit.errors import BackendRuntimeError, DeviceError
from edgevit.measure.serial.port import SerialPort

_HEAD = re.compile(r"edgevit selftest (\d+) (\S+)$")
_LAYER = re.compile(r"layer (\S+) (\d+)$")
_TOTAL = re.compile(r"total (\d+) (\d+)$")
_VERSION = "1"
_GARBLED = 3  # number of garbled self-tests until giving up
_BAUD = "the speed of the port may be wrong (?baud=), or the cable poor"


@dataclass(frozen=True)
class SelfTest:
    model: str
    layers: tuple[tuple[str, int], ...]  # name, ticks
    total: int
    hz: int
    golden: bool


def read_selftests(port: SerialPort, count: int, limit: float) -> list[SelfTest]:
    """Read up to `count` self-tests, which the board repeats.

    The first must arrive within `limit` seconds. A board that runs the test once returns one.
    """
    selftests: list[SelfTest] = []
    started = time.monotonic()
    until, garbled = started + limit, 0
    while len(selftests) < count:
        try:
            one = _next(port, until)
        except ValueError as error:
            garbled += 1
            if garbled == _GARBLED:
                raise _unreadable(port, str(error)) from error
            continue
        if one is None:
            break
        selftests.append(one)
        now = time.monotonic()
        until = min(started + limit, now + 3 * (now - started) + 5)
    if not selftests:
        raise BackendRuntimeError(
            "the board does not say anything of a self-test",
            where=f"serial:{port.path}",
            why=f"no complete test in {limit:g} s",
            hint="is the self-test on it, with its UART on this port? --flash writes it; --limit waits longer",
        )
    return selftests


def _next(port: SerialPort, until: float) -> SelfTest | None:
    """Read one self-test from the next head line on, skipping a partial one before it."""
    head = None
    while head is None:
        line = port.line(until)
        if line is None:
            return None
        head = _HEAD.search(line)
    if head[1] != _VERSION:
        raise DeviceError(
            f"the self-test is of version {head[1]}, this edgevit knows version {_VERSION}",
            where=f"serial:{port.path}",
            hint="export the firmware again with this edgevit, or upgrade edgevit",
        )
    layers: list[tuple[str, int]] = []
    while layer := _LAYER.match(line := _expect(port, until)):
        layers.append((layer[1], int(layer[2])))
    total = _TOTAL.match(line)
    golden = _expect(port, until)
    if total is None or golden not in {"golden ok", "golden bad"} or _expect(port, until) != "end":
        raise ValueError(line)
    return SelfTest(head[2], tuple(layers), int(total[1]), int(total[2]), golden == "golden ok")


def _expect(port: SerialPort, until: float) -> str:
    line = port.line(until)
    if line is None:
        raise BackendRuntimeError(
            "the self-test stopped half-way",
            where=f"serial:{port.path}",
            why="no further line in time",
            hint="the board hangs: reset it; a stack or memory that is too small may be why",
        )
    return line


def _unreadable(port: SerialPort, line: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        "the self-test cannot be read", where=f"serial:{port.path}", why=f"`{line}`", hint=_BAUD
    )
