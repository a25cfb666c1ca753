"""What was measured is not measured again, with a FAKE runner whose figures are exact and stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import DeviceError
from edgevit.measure.cache import measured
from edgevit.measure.device import DeviceState, this_device
from edgevit.measure.figures import Figures, MeasuredSession, Settings
from edgevit.measure.runner import OnResult, Progress
from edgevit.measure.store import open_store
from edgevit.measure.timing import Subject
from edgevit.support.host import now


class Fake:
    address = "fake"
    interleaved = False
    cacheable = True

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.fails: dict[str, BaseException] = {}
        self.state = this_device()

    def device(self) -> DeviceState:
        return self.state

    def subject(self, path: str | Path) -> Subject:
        return Subject(Path(path).name, "onnx", Path(path), None, {})

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        return {"core": settings.core}

    def measure(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        progress: Progress = lambda _: None,
        on_result: OnResult = lambda _: None,
    ) -> MeasuredSession:
        (one,) = subjects
        if one.label in self.fails:
            raise self.fails[one.label]
        self.measured.append(one.label)
        figures = Figures(
            one, "emulated", "instructions", (float(one.path.stat().st_size),), when=now()
        )
        return MeasuredSession((figures,), self.device(), settings, now())


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("a", "b", "c")]
    for size, path in enumerate(found, 1):
        path.write_bytes(b"x" * size)
    return found


def test_an_interrupted_run_goes_on_where_it_stopped(paths: list[Path]) -> None:
    runner = Fake()
    runner.fails = {"b": KeyboardInterrupt()}
    with open_store() as store, pytest.raises(KeyboardInterrupt):
        measured(paths, runner, Settings(), store)
    assert runner.measured == ["a"]
    runner.fails = {}
    with open_store() as store:
        session = measured(paths, runner, Settings(), store)
    assert runner.measured == ["a", "b", "c"]
    assert [one.value for one in session.figures] == [1, 2, 3]
    assert "from the store" in session.figures[0].notes[-1]
    assert not session.from_store


def test_an_error_is_no_figure_and_is_tried_again(paths: list[Path]) -> None:
    runner = Fake()
    runner.fails = {"b": DeviceError("dead")}
    with open_store() as store:
        session = measured(paths, runner, Settings(), store)
        assert [one.value for one in session.figures] == [1, None, 3]
        assert session.first_error is runner.fails["b"]
        runner.fails = {}
        assert measured(paths, runner, Settings(), store).first_error is None
    assert runner.measured == ["a", "c", "b"]


def test_what_makes_another_figure(paths: list[Path]) -> None:
    runner = Fake()
    path = paths[0]
    with open_store() as store:

        def times() -> int:
            before = len(runner.measured)
            measured([path], runner, Settings(), store)
            return len(runner.measured) - before

        assert times() == 1
        assert times() == 0
        state = runner.state
        runner.state = replace(state, load=99.0, temperature_c=80.0, address="other")  # its state
        assert times() == 0
        for changed in (
            replace(state, governor="powersave?"),
            replace(state, serial="another of the kind"),
            replace(state, versions={**state.versions, "onnxruntime": "0.1"}),
        ):
            runner.state = changed
            assert (times(), times()) == (1, 0)
        runner.state = replace(state, versions={**state.versions, "ai-edge-litert": "0.1"})
        assert times() == 0  # another format's runtime
        path.write_bytes(b"y")
        assert times() == 1
        measured([path], runner, Settings(core="m7"), store)
        assert len(runner.measured) == 6
        runner.cacheable = False
        assert (times(), times()) == (1, 1)
