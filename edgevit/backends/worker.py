"""Worker process for one opened artifact.

A runtime that crashes on a damaged file ends only this process, and two runtimes that are timed
interleaved do not share a thread pool.

Parent and child speak pickled tuples over the child's stdin and stdout: ("run", arrays) -> ("ok", arrays).
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edgevit.backends.session import (
    Arrays,
    OpTime,
    Session,
    TensorSpec,
    open_session,
    seconds_of_runs,
)
from edgevit.errors import BackendRuntimeError, EdgevitError, report_it, revived
from edgevit.support.python import module_command, module_environment

TIMEOUT = (
    600.0  # seconds for one request; a net that takes longer on this machine is not measured here
)


class Worker:
    """Client of a worker process, which stays, libraries loaded, if `open` is called again."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, format: str, threads: int = 0, timeout: float = TIMEOUT) -> None:
        """Create the worker; `threads` 0 means as many threads as cores."""
        self.format = format
        self.threads = threads or os.cpu_count() or 1
        self.timeout = timeout
        self._path = Path()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the worker
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._log.close()

    def open(self, path: Path) -> None:
        self._path = path
        # absolute: the process may have been started in another directory
        self.inputs, self.outputs = self._ask("open", path.absolute())

    def run(self, arrays: Arrays) -> list[Any]:
        return self._ask("run", list(arrays))

    def seconds(self, arrays: Arrays, repeats: int) -> list[float]:
        """Return the time of each of `repeats` runs, by the child's own clock."""
        return self._ask("seconds", list(arrays), repeats)

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        return self._ask("op_times", list(arrays), repeats)

    def start(self) -> None:
        """Start the process, which `open` does otherwise.

        An early start loads the libraries while something else goes on.
        """
        if self._process is not None and self._process.poll() is None:
            return
        threads = str(self.threads)
        self._process = subprocess.Popen(
            module_command("edgevit.backends.worker", self.format, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=module_environment(OMP_NUM_THREADS=threads),
        )

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, *request: object) -> Any:
        if request[0] == "open":  # of one that died, no other request can be answered by the next
            self.start()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        watch = threading.Timer(self.timeout, process.kill)
        watch.start()
        try:
            pickle.dump(request, process.stdin)
            process.stdin.flush()
            verdict, answer = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._death(process, timed_out=not watch.is_alive()) from error
        finally:
            watch.cancel()
        if verdict == "ok":
            return answer
        raise revived(answer)

    def _death(self, process: subprocess.Popen[bytes], timed_out: bool) -> EdgevitError:
        code = process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        self.close()
        why = (
            f"no answer in {self.timeout:.0f} s"
            if timed_out
            else f"the process ended with {_ending(code)}"
        )
        return BackendRuntimeError(
            f"the {self.format} runtime died on {self._path.name}",
            where=str(self._path),
            why="\n".join([why, *said[-3:]]),
            hint=f"the file may be damaged: export it again; if it dies again, {report_it()}",
        )


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        import signal

        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class _Child:
    """Server in the child process; it answers requests until its stdin ends."""

    def __init__(self, format: str, threads: int) -> None:
        self.format = format
        self.threads = threads
        self.session: Session | None = None

    def answer(self, request: Sequence[Any]) -> Any:
        verb, *arguments = request
        if verb == "open":
            self.session = None  # the old one goes first
            self.session = open_session(self.format, arguments[0], self.threads)
            return self.session.inputs, self.session.outputs
        assert self.session is not None
        if verb == "seconds" and not hasattr(self.session, "seconds"):  # one that has its own clock
            return seconds_of_runs(self.session, *arguments)
        return getattr(self.session, verb)(*arguments)


def _end_with_input() -> None:
    """End the process as soon as stdin is closed, even in the middle of a run.

    The parent that would read the answer is gone.
    """
    if not hasattr(select, "poll"):  # Windows: the end is seen after the run
        return
    watch = select.poll()
    watch.register(0, 0)  # its end alone, not what it brings
    watch.poll()
    os._exit(1)


def main() -> None:
    threading.Thread(target=_end_with_input, daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native libraries print must not get between the answers
    child = _Child(sys.argv[1], int(sys.argv[2]))
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = "ok", child.answer(request)
        except EdgevitError as error:
            answer = "error", error.as_dict()
        except Exception as error:
            failed = BackendRuntimeError(
                f"the {child.format} runtime cannot {request[0]} the artifact",
                why=f"{type(error).__name__}: {error}"[:2000],
                hint=f"export it again; if it fails again, {report_it()}",
            )
            answer = "error", failed.as_dict()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
