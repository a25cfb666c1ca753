"""edgevit commands in a child process, which ends when this process ends for any reason."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.support.python import module_command, module_environment
from edgevit.support.supervised import LIFELINE

_PATIENCE = 1.5  # seconds for the child to clean up before it is killed


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


def run_command(
    words: Sequence[str], limit: float | None = None, shared: Sequence[int] = ()
) -> Done:
    """Run `edgevit WORDS` in a child process that inherits the descriptors `shared`.

    Raises `subprocess.TimeoutExpired` after `limit` seconds.
    """
    ours, theirs = _lifeline()
    try:
        process = subprocess.Popen(
            module_command("edgevit", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=[*shared, *theirs],
            env=module_environment(**{LIFELINE: ",".join(map(str, theirs))}),
        )
    finally:
        for end in theirs:
            os.close(end)
    with process:
        try:
            said = process.communicate(timeout=limit)
        except BaseException:
            _close(ours)
            ours = []
            _wait_or_kill(process)
            raise
        finally:
            _close(ours)
    return Done(process.returncode, *said)


def _lifeline() -> tuple[list[int], list[int]]:
    """Open a pipe: this process's write end, and the child's read end.

    The read end reaches end of file when the write end is closed or this process ends.
    """
    if not hasattr(os, "fork"):
        return [], []
    theirs, ours = os.pipe()
    return [ours], [theirs]


def _close(ends: Sequence[int]) -> None:
    for end in ends:
        os.close(end)


def _wait_or_kill(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
