"""A process with limits: what it answers, what it raises, and how its end is told."""

from __future__ import annotations

import os
import signal
import time

import pytest

from edgevit.errors import ModelError
from edgevit.support.limited import Limits, WorkerEndedError, call_limited

LIMITS = Limits(memory=256 << 20, cpu=2, seconds=20)


# What is called there.
def total(*numbers: int) -> int:
    print("printed")
    os.write(1, b"printed past Python")
    return sum(numbers)


def refuse() -> None:
    raise ModelError("no", where="here", why="because", hint="that")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hold() -> int:
    return len(bytearray(1 << 30))


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def leave() -> None:
    os._exit(0)


def fail() -> None:
    raise KeyError("key")


def called(name: str, *arguments: int, limits: Limits = LIMITS) -> object:
    return call_limited(f"{__name__}:{name}", arguments, limits)


def test_the_answer_comes_back_without_what_was_printed() -> None:
    assert called("total", 1, 2) == 3


def test_an_error_of_ours_comes_back_as_itself() -> None:
    with pytest.raises(ModelError) as caught:
        called("refuse")
    assert str(caught.value) == str(ModelError("no", where="here", why="because", hint="that"))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("crash", "SIGSEGV"),
        ("hold", "more than 256 MB of memory"),
        ("spin", "more than 2 s of computing"),
        ("leave", "exit code 0"),
        ("fail", "KeyError: 'key'"),
    ],
)
def test_every_other_end_is_told(name: str, why: str) -> None:
    with pytest.raises(WorkerEndedError, match=why):
        called(name)


def test_the_clock_ends_what_only_waits() -> None:
    with pytest.raises(WorkerEndedError, match="no result in 1 s"):
        called("sleep", limits=Limits(memory=256 << 20, cpu=2, seconds=1))
