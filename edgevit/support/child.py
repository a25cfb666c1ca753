"""A command of ours in a process of its own, which ends when this one does, however that ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.support.python import module_command, module_environment
from edgevit.support.supervised import LIFELINE

_PATIENCE = 1.5  # seconds for it to clear up when it is told to end


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


def run_command(
    words: Sequence[str], limit: float | None = None, shared: Sequence[int] = ()
) -> Done:
    """`edgevit WORDS`. It holds the descriptors `shared` too. Raises `subprocess.TimeoutExpired` after `limit` seconds."""
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
    """Our end, which nobody else holds, and the other, which ends when ours is closed or this process is no more."""
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
