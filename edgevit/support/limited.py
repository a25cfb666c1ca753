"""Function calls in a child process with resource limits, for libraries that read untrusted files.

    call_limited("edgevit.frontend.pt2_trial:run_program", [path], Limits(memory=4 << 30, cpu=60, seconds=120))

Arguments and result are JSON. An `EdgevitError` is raised here again. A crash or an exceeded limit
raises `WorkerEndedError`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgevit.errors import EdgevitError, revived
from edgevit.support.leaving import Leaving
from edgevit.support.python import module_command, module_environment
from edgevit.support.stdout import answers, only_answers


@dataclass(frozen=True)
class Limits:
    memory: int  # bytes of data, without shared libraries (Linux)
    cpu: int  # CPU seconds, summed over all threads
    seconds: float  # wall-clock seconds


class WorkerEndedError(Exception):
    """A process that ended without a result. The text says why."""


def call_limited(function: str, arguments: Sequence[Any], limits: Limits) -> Any:
    """Call `MODULE:FUNCTION` and return its result. Raises its `EdgevitError`, or `WorkerEndedError`."""
    request = json.dumps([function, list(arguments), asdict(limits)])
    with tempfile.TemporaryFile() as printed:
        try:
            done = subprocess.run(
                module_command("edgevit.support.limited"),
                input=request.encode(),
                stdout=subprocess.PIPE,
                stderr=printed,
                timeout=limits.seconds,
                env=module_environment(OMP_NUM_THREADS="1"),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise WorkerEndedError(f"no result in {limits.seconds:.0f} s") from error
        try:
            verdict, answer = json.loads(done.stdout)
        except ValueError:
            printed.seek(0)
            raise WorkerEndedError(_why(done.returncode, limits, printed.read())) from None
    if verdict == "error":
        raise revived(answer)
    if verdict == "ended":
        raise WorkerEndedError(answer)
    return answer


def _why(code: int, limits: Limits, printed: bytes) -> str:
    last = printed.decode(errors="replace").strip().splitlines()[-1:]
    if code == -_number("SIGXCPU"):
        return f"it took more than {limits.cpu} s of computing"
    if code < 0:
        return "\n".join([f"the process that ran it ended with {_name(-code)}", *last])
    return "\n".join([f"the process that ran it ended with exit code {code}", *last])


def _number(name: str) -> int:
    return getattr(signal, name, 0)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main() -> None:
    leaving = Leaving()
    function, arguments, limits = json.load(sys.stdin)
    _limit(Limits(**limits))
    with only_answers():
        try:
            module, _, name = function.partition(":")
            answer = "ok", getattr(importlib.import_module(module), name)(*arguments)
        except EdgevitError as error:
            answer = "error", error.as_dict()
        except MemoryError:
            answer = "ended", f"it took more than {limits['memory'] >> 20} MB of memory"
        answers().write(json.dumps(answer))
    leaving.code = 0


def _limit(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # Windows: the clock alone
        return
    values = {"RLIMIT_DATA": limits.memory, "RLIMIT_CPU": limits.cpu, "RLIMIT_CORE": 0}
    for name, most in values.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
