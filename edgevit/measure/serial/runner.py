"""Runner of serial addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from edgevit.errors import DeviceError, EdgevitError, ParityError, UsageError
from edgevit.exported import read_manifest
from edgevit.measure.device import DeviceState, unknown_device
from edgevit.measure.figures import Figures, Kind, LayerCost, Settings, lost
from edgevit.measure.firmware import executable_of
from edgevit.measure.runner import Progress
from edgevit.measure.sequential import SequentialRunner
from edgevit.measure.serial.flash import flash
from edgevit.measure.serial.port import SerialPort
from edgevit.measure.serial.selftest import SelfTest, read_selftests
from edgevit.measure.timing import Subject, subject_of
from edgevit.support.host import now
from edgevit.targets import load_target

_TESTS = 3  # self-tests to read
_HASH = re.compile(r'#define\s+EV_MODEL_HASH\s+"([^"]+)"')


def open_runner(address: str) -> SerialRunner:
    place, _, query = address.partition("?")
    options = dict(parse_qsl(query))
    baud = options.pop("baud", "115200")
    path = place.removeprefix("serial").removeprefix(":")
    if options or not baud.isdigit() or not path:
        raise UsageError(
            f"`{address}` is not a serial port", hint="serial:/dev/ttyACM0?baud=115200"
        )
    return SerialRunner(path, int(baud))


class SerialRunner(SequentialRunner):
    cacheable = False

    def __init__(self, path: str, baud: int) -> None:
        self.path, self.baud = path, baud
        self.address = f"serial:{path}"

    def device(self) -> DeviceState:
        """Return an unknown device: a port does not identify the board.

        The self-test's model hash identifies the firmware.
        """
        return unknown_device(f"board at {self.path}", self.address)

    def subject(self, path: str | Path) -> Subject:
        executable_of(Path(path))
        return subject_of(path, here=False)

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        target = read_manifest(subject.path.parent)["target"]
        return {"tests": _TESTS, "elf": settings.elf, "target": target}

    def figures(self, subject: Subject, settings: Settings, progress: Progress) -> Figures:
        kind = _kind(subject)
        try:
            if settings.flash is not None:
                flash(settings.flash, settings.elf, settings.chip, self.path, settings.limit)
            with SerialPort(self.path, self.baud) as port:
                tests = read_selftests(port, _TESTS, settings.limit)
            self._require_sound(subject, tests)
        except EdgevitError as error:
            return lost(subject, error, kind, "ticks")
        return _figures(subject, tests, kind, self.path)

    def _require_sound(self, subject: Subject, tests: Sequence[SelfTest]) -> None:
        expected = model_hash(subject.path.parent)
        other = next((test.model for test in tests if test.model != expected), None)
        if other is not None:
            raise DeviceError(
                f"the board runs another model than {subject.path.parent}",
                where=self.address,
                why=f"it reports {other[:16]}..., the folder is {expected[:16]}...",
                hint="flash this folder's self-test: --flash TOOL --elf FILE",
            )
        if not all(test.golden for test in tests):
            raise ParityError(
                "the self-test failed on the board: its outputs or its memory are not what was exported",
                where=self.address,
                why="golden bad",
                hint="flash it again; if it fails again",
            )


def model_hash(folder: Path) -> str:
    """Return the model hash that the self-test of this folder's firmware will report."""
    for header in sorted((folder / "firmware").glob("*.h")):
        if match := _HASH.search(header.read_text()):
            return match[1]
    raise UsageError(
        f"the firmware in {folder} has no self-test",
        why="no header of it has an EV_MODEL_HASH",
        hint="export it again with this edgevit",
    )


def _kind(subject: Subject) -> Kind:
    """Return "emulated" if the target has an emulator, whose clock is no measurement."""
    target = load_target(read_manifest(subject.path.parent)["target"])
    return "emulated" if target.emulator is not None else "measured"


def _figures(subject: Subject, tests: Sequence[SelfTest], kind: Kind, path: str) -> Figures:
    hz = tests[0].hz
    in_seconds = hz > 0 and kind == "measured"
    scale = 1 / hz if in_seconds else 1.0
    middle = sorted(tests, key=lambda test: test.total)[len(tests) // 2]
    measured = _cycles_note(subject, middle) if in_seconds else ()
    clock = f"at {hz / 1e6:g} MHz" if hz else "of an unknown clock"
    return Figures(
        subject,
        kind,
        "seconds" if in_seconds else "ticks",
        tuple(test.total * scale for test in tests),
        layers=tuple(LayerCost(name, "", ticks * scale) for name, ticks in middle.layers),
        golden_match=True,
        notes=(f"self-test over {path}, ticks {clock}, golden vectors equal", *measured),
        when=now(),
    )


def _cycles_note(subject: Subject, test: SelfTest) -> tuple[str, ...]:
    """Compare the core's cycles with what was predicted, where the board's clock is known."""
    manifest = read_manifest(subject.path.parent)
    execution = (manifest.get("firmware") or {}).get("execution") or {}
    predicted, clock = (
        execution.get("predicted_cycles"),
        load_target(manifest["target"]).port_clock_hz,
    )
    if not predicted or not clock:
        return ()
    cycles = round(test.total / test.hz * clock)
    return (f"{cycles:,} cycles measured, {predicted:,} predicted: {cycles / predicted:.2f} times",)
