"""The study: no finished point is tried again, whoever was killed when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgevit.errors import StoreError
from edgevit.support.choice import Choice
from edgevit.tune.space import Space, point_key
from edgevit.tune.study import Study
from tests import ROOT

pytest.importorskip("optuna", reason="pip install 'edgevit[tune]'")

SPACE = Space(
    ("a", "b"),
    {
        "a": (Choice("x", ("1", "2", "3"), "1", "why"), Choice("y", ("on", "off"), "on", "why")),
        "b": (Choice("x", ("1", "2"), "1", "why"),),
    },
)

WORKER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from tests.tune.test_study import SPACE
from edgevit.tune.study import Study
study = Study(sys.argv[1], "s", 1)
first = study.begin(SPACE, [SPACE.default()])
study.finish(first, [1.0], {"figures": {}})
second = study.begin(SPACE, [SPACE.default("b")])
if "figures" in sys.argv:  # killed between the figures and the study's being told
    study._storage_attr(second.number, "result", {"values": [2.0]})
print("at it", flush=True)
time.sleep(600)
"""


def opened(path: Path) -> Study:
    return Study(str(path / "study.sqlite"), "s", 1)


def test_all_points_are_tried_once_and_then_there_are_none(tmp_path: Path) -> None:
    study, keys = opened(tmp_path), []
    while (running := study.begin(SPACE, [SPACE.default()])) is not None:
        keys.append(running.key)
        if len(keys) % 3:
            study.finish(running, [float(len(keys))], {})
        else:
            study.refuse(running, "it does not fit")
        assert len(keys) <= SPACE.size()
    assert SPACE.size() == 8 == len(keys) == len(set(keys))
    assert keys[0] == point_key(SPACE.default())
    assert sum(bool(t.refused) for t in study.tried()) == 2


def test_what_somebody_is_at_is_not_begun_by_another(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    wanted = [SPACE.default(), SPACE.default("b")]
    first, second = one.begin(SPACE, wanted), other.begin(SPACE, wanted)
    assert first and second
    assert [first.point, second.point] == wanted
    assert other.recover() == []  # it lives


@pytest.mark.parametrize("when", ["in the trial", "figures"])
def test_a_killed_worker_s_trial_is_done_again_and_a_finished_one_is_not(
    tmp_path: Path, when: str
) -> None:
    words = [
        sys.executable,
        "-c",
        WORKER,
        str(tmp_path / "study.sqlite"),
        str(ROOT),
    ]
    worker = subprocess.Popen([*words, when], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None and worker.stdout.readline() == "at it\n"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()

    study = opened(tmp_path)
    lost = study.recover()
    wanted = [SPACE.default(), SPACE.default("b")]
    running = study.begin(SPACE, wanted)
    assert running is not None
    if when == "figures":
        assert lost == [] and len(study.tried()) == 2
        assert running.point not in wanted
    else:
        assert lost == [1] and len(study.tried()) == 1
        assert running.point == SPACE.default("b")
        study.finish(running, [2.0], {})
        assert [t.values for t in study.tried()] == [(1.0,), (2.0,)]


def test_what_is_dropped_may_be_tried_again(tmp_path: Path) -> None:
    study = opened(tmp_path)
    first = study.begin(SPACE, [SPACE.default()])
    assert first is not None
    study.drop(first)
    assert study.tried() == [] and study.recover() == []
    again = study.begin(SPACE, [SPACE.default()])
    assert again is not None and again.key == first.key


def test_a_worker_elsewhere_is_given_up_when_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: "far away")
    assert study.begin(SPACE, [SPACE.default()])
    monkeypatch.undo()
    assert study.recover() == []
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3600)
    assert study.recover() == [0]


def test_a_study_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite").write_text("no database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path)


def test_a_note_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study.set_note("model", {"graph": "ab", "inert": {}, "convert_threads": 1})
    assert study.note("model") == {"graph": "ab", "no_effect": {}, "convert_threads": 1}
