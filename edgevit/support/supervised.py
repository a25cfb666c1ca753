"""Supervision of a command in a child process, to end it within two seconds on request.

A converter blocks signals, holds the interpreter for minutes or catches KeyboardInterrupt.
A library starts processes of its own. A damaged file causes a segmentation fault. None of that
affects the process that waits. It knows the child's descendants, and from `tell` the folders that
may hold a draft.

    SIGINT, SIGTERM, SIGHUP here, or the end of the process that holds the lifeline:
    SIGINT to the child -> a grace period to clean up -> SIGKILL to it and its descendants
    -> drafts cleared -> 128 + signal
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from edgevit.support.descendants import adopt_orphans, descendants, die_with_parent, kill_all

LIFELINE = "EDGEVIT_LIFELINE"  # descriptor: the command ends at its end of file
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else ()
_GRACE = 1.0  # seconds to clean up
_SHORT_GRACE = 0.3  # for a nested command, within the outer one's grace
_telling: int | None = None


def tell(folder: Path) -> None:
    """Report a folder to the supervisor, to be cleared if this process dies."""
    if _telling is not None:
        with contextlib.suppress(OSError):  # best effort: the pipe may be full
            os.write(_telling, os.fsencode(folder) + b"\0")


def supervise(
    run: Callable[[], int], clear: Callable[[Path], None], died: Callable[[int], int]
) -> int:
    """Run `run` in a child process and return its result, in the child and here.

    Return 128 + signal if the command was ended by request, `died(signal)` if it crashed.
    """
    if not hasattr(os, "fork"):
        return run()
    watch = _Watch()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        watch.leave_to_child(parent)
        return run()
    adopt_orphans()
    cause, status = watch.wait(child)
    if not cause and os.WIFSIGNALED(status):
        kill_all(descendants(parent))
    if cause or os.WIFSIGNALED(status):
        for folder in watch.told():
            with contextlib.suppress(Exception):
                clear(folder)
    if cause:
        return 128 + cause
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    return 128 + number if number in _ENDING else died(number)


class _Watch:
    """Signals and lifeline of this process, and the folders that the child reports."""

    def __init__(self) -> None:
        self._lifeline = _lifeline()
        self._wake, self._woken = os.pipe()
        self._heard, self._telling = os.pipe()
        for end in (self._wake, self._woken, self._heard, self._telling):
            os.set_blocking(end, False)
        self._cause = 0
        self._said = b""
        self._before = {
            number: signal.getsignal(number)
            for number in _ENDING
            if signal.getsignal(number) is not signal.SIG_IGN  # as under nohup
        }
        for number in self._before:
            signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that it wakes
        self._waking_before = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._cause = self._cause or number

    def leave_to_child(self, parent: int) -> None:
        """Restore signal handlers in the child, and have it die with the supervisor."""
        global _telling
        _telling = self._telling
        signal.set_wakeup_fd(self._waking_before)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if signal.SIGINT in self._before:
            signal.signal(signal.SIGINT, _interrupt_once)
        for end in (self._wake, self._woken, self._heard, self._lifeline):
            if end is not None:
                os.close(end)
        die_with_parent(parent)

    def wait(self, child: int) -> tuple[int, int]:
        """Wait for the child. Return the signal that requested its end, or 0, and its status."""
        while True:
            self._sleep(None)
            pid, status = os.waitpid(child, os.WNOHANG)
            if self._cause:
                return self._cause, status if pid else self._end(child)
            if pid:
                return 0, status

    def told(self) -> Iterable[Path]:
        self._read_told()
        return {Path(os.fsdecode(name)) for name in self._said.split(b"\0") if name}

    def _end(self, child: int) -> int:
        family = descendants(child)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGINT)
        deadline = time.monotonic() + (_GRACE if self._lifeline is None else _SHORT_GRACE)
        pid = status = 0
        while not pid and time.monotonic() < deadline:
            self._sleep(deadline - time.monotonic())
            pid, status = os.waitpid(child, os.WNOHANG)
        family |= descendants(child) if not pid else set()
        kill_all(family if pid else {child, *family})
        return status if pid else os.waitpid(child, 0)[1]

    def _sleep(self, seconds: float | None) -> None:
        """Sleep until a signal, a report, the end of the child or lifeline, or the timeout."""
        watched = [self._wake, self._heard]
        if self._lifeline is not None and not self._cause:
            watched.append(self._lifeline)
        ready = select.select(watched, [], [], seconds)[0]
        if self._wake in ready:
            os.read(self._wake, 4096)
        if self._heard in ready:
            self._read_told()
        if self._lifeline in ready:  # never written to: readable means end of file
            self._cause = self._cause or signal.SIGTERM

    def _read_told(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._heard, 1 << 16):
                self._said += said


def _lifeline() -> int | None:
    text = os.environ.pop(LIFELINE, "")  # not for those that this process starts
    with contextlib.suppress(OSError, ValueError):
        os.fstat(int(text))
        os.set_inheritable(int(text), False)
        return int(text)
    return None


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt once, and ignore further interrupts.

    A terminal's interrupt reaches this process twice: directly, and from the supervisor.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
