"""A command runs in a child process, and this one waits for it, to end it within two seconds when it is told to.

A converter blocks signals, holds the interpreter for minutes or catches what an interrupt raises; a library starts
processes of its own; a damaged file ends in a segmentation fault. None of that reaches the process that waits. It
knows the child's children, and from `tell` the folders that may hold a draft.

    SIGINT, SIGTERM, SIGHUP here, or the end of whoever holds the lifeline:
    SIGINT to the child -> a moment to clear up -> SIGKILL to it and all it has started -> drafts cleared -> 128 + signal
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

LIFELINE = "EDGEVIT_LIFELINE"  # a descriptor at whose end the command is to end
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else ()
_GRACE = 1.0  # seconds to clear up in
_SHORT_GRACE = 0.3  # of a command within a command, which is ended in its own grace
_telling: int | None = None


def tell(folder: Path) -> None:
    """Say where something is left to clear if this process dies."""
    if _telling is not None:
        with contextlib.suppress(OSError):  # as many as the pipe holds
            os.write(_telling, os.fsencode(folder) + b"\0")


def supervise(
    run: Callable[[], int], clear: Callable[[Path], None], died: Callable[[int], int]
) -> int:
    """What `run` returns, in the child and here; 128 + signal where it was ended, `died(signal)` where it crashed."""
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
    """Signals and the lifeline of this process, and what the child tells it."""

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
        """In the child: signals are its own again, and it dies with the one that waits."""
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
        """The signal that ended it, or 0, and its status."""
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
        """Until a signal, the end of the child or of the lifeline, or something that is told."""
        watched = [self._wake, self._heard]
        if self._lifeline is not None and not self._cause:
            watched.append(self._lifeline)
        ready = select.select(watched, [], [], seconds)[0]
        if self._wake in ready:
            os.read(self._wake, 4096)
        if self._heard in ready:
            self._read_told()
        if self._lifeline in ready:  # nobody writes to it: this is its end
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
    """A terminal's interrupt reaches this process, and then that of the one that waits: the second is no news."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
