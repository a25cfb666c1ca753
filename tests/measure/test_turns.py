"""The loop of turns, with FAKE devices that die: what is lost, what is tried again, what goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevit.backends.session import OpTime
from edgevit.errors import DeviceError, EdgevitError, PackageError
from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import MeasuredSession, Settings
from edgevit.measure.interleaved import ByTurns
from edgevit.measure.timing import Opener, Subject

GONE = DeviceError("gone", retryable=True)
REFUSED = DeviceError("refused")


def subject(name: str, threads: int = 0) -> Subject:
    return Subject(name, "onnx", Path(name), None, {}, threads)


class Fake:
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, threads: int, fails: Callable[[], EdgevitError | None]) -> None:
        self.name, self.threads, self.closed = name, threads, False
        self._fails = fails

    def seconds(self, runs: int) -> list[float]:
        assert not self.closed
        error = self._fails()
        if error is not None:
            raise error
        return [9.0] + [0.002 if self.name == "slow" else 0.001] * (runs - 1)

    def op_times(self, repeats: int) -> tuple[OpTime, ...]:
        return ()

    def close(self) -> None:
        self.closed = True


class Devices(ByTurns):
    """A runner that opens fakes; `broken` says at which call, counted over all its openings, an artifact fails how."""

    def __init__(self, broken: dict[str, dict[int, EdgevitError]]) -> None:
        self.opened: list[Fake] = []
        self._broken = broken
        self._calls = Counter[str]()

    def device(self) -> DeviceState:
        return this_device()

    def opener(self, device: DeviceState, settings: Settings) -> Opener:
        return self.open

    def open(self, subject: Subject, threads: int) -> Fake:
        name = subject.label

        def fails() -> EdgevitError | None:
            self._calls[name] += 1
            return self._broken.get(name, {}).get(self._calls[name])

        self.opened.append(Fake(name, threads, fails))
        return self.opened[-1]


def run(devices: Devices, *subjects: Subject, rounds: int = 5) -> MeasuredSession:
    return devices.measure(subjects, Settings(rounds=rounds, threads=2))


def test_all_is_well() -> None:
    devices = Devices({})
    session = run(devices, subject("fast"), subject("slow", threads=1))
    fast, slow = session.figures
    assert fast.rounds == (0.001,) * 5
    assert (fast.ratio, slow.ratio, slow.ratio_spread) == (None, 2.0, (2.0, 2.0))
    assert [fake.threads for fake in devices.opened] == [2, 1]
    assert all(fake.closed for fake in devices.opened)


def test_a_lost_device_is_opened_once_more() -> None:
    devices = Devices({"slow": {3: GONE}})
    session = run(devices, subject("fast"), subject("slow"))
    assert [len(one.rounds) for one in session.figures] == [5, 5]
    assert [fake.name for fake in devices.opened] == ["fast", "slow", "slow"]
    assert all(fake.closed for fake in devices.opened)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({3: GONE, 5: GONE}, GONE),  # twice
        ({3: GONE, 4: GONE}, GONE),
        ({3: REFUSED}, REFUSED),  # asking again would not help
        ({1: PackageError("damaged")}, None),
    ],
)
def test_a_dead_device_loses_one_figure(
    broken: dict[int, EdgevitError], error: EdgevitError | None
) -> None:
    devices = Devices({"dies": broken})
    session = run(devices, subject("dies"), subject("fast"), subject("slow"))
    dies, fast, slow = session.figures
    assert dies.rounds == ()
    assert dies.error is (error or broken[1])
    assert session.first_error is dies.error
    assert (len(fast.rounds), len(slow.rounds)) == (5, 5)
    assert (fast.ratio, slow.ratio) == (None, 2.0)  # to the first that is left
    assert all(fake.closed for fake in devices.opened)


def test_nothing_left_is_the_error_itself() -> None:
    devices = Devices({"a": {2: REFUSED}, "b": {1: GONE, 2: GONE}})
    with pytest.raises(DeviceError, match="refused"):
        run(devices, subject("a"), subject("b"))
    assert all(fake.closed for fake in devices.opened)
