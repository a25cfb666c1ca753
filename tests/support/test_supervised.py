"""However a command is ended, it ends within two seconds, and leaves no process and no draft."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevit.support.child import run_command
from edgevit.support.descendants import descendants
from edgevit.support.supervised import supervise

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")
SECONDS = 2.0
# What converters do: catch everything, block signals, hold the interpreter in native code.
STUBBORN = {
    "catches all": "while True:\n    try:\n        time.sleep(30)\n    except BaseException: pass",
    "ignores": "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(30)",
    "blocks": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(30)",
    "native": "ctypes.PyDLL(None).sleep(30)",  # does not let go of the interpreter
    "willing": "time.sleep(30)",
}
# A command that has a draft and a child, says so, and goes on for ever.
COMMAND = """\
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
import edgevit.cli.main, edgevit.cli.export
from edgevit.exported.staging import staged

def run(options):
    final = Path(sys.argv[2])
    with staged(final) as draft:
        (draft / "half").write_text("a")
        child = subprocess.Popen(["sleep", "30"])
        Path(str(final) + ".ready").write_text(str(child.pid))
        exec(os.environ["STUBBORN"])
    return 0

edgevit.cli.export.run_doctor = run
sys.argv = ["edgevit", "doctor", *sys.argv[1:]]
edgevit.cli.main._parser = lambda: type("P", (), {"parse_args": lambda *_: type("O", (), {"run": run})})()
from edgevit.__main__ import main
sys.exit(main())
"""


@contextlib.contextmanager
def command(folder: Path, how: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """It, and the process that it has started."""
    environment = {**os.environ, "STUBBORN": STUBBORN[how]}
    words = [sys.executable, "-c", COMMAND, str(folder / "out")]
    with subprocess.Popen(
        words, env=environment, stderr=subprocess.PIPE, preexec_fn=_with_default_signals
    ) as process:
        try:
            yield process, int(waited(folder / "out.ready"))
        finally:
            process.kill()


def _with_default_signals() -> None:
    """Heed every signal, also where the tests run under nohup or in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def waited(path: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{path} did not come")


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def gone(pids: set[int], within: float = 1.0) -> bool:
    deadline = time.monotonic() + within
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_alive, pids))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
@pytest.mark.parametrize("how", STUBBORN)
def test_it_ends_when_it_is_told_to(how: str, number: signal.Signals, tmp_path: Path) -> None:
    with command(tmp_path, how) as (process, child):
        family = descendants(process.pid) | {child}
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert time.monotonic() - started < SECONDS
        assert gone(family)
        assert [p.name for p in tmp_path.iterdir()] == ["out.ready"]


def test_an_interrupt_of_the_whole_group_is_one(tmp_path: Path) -> None:
    """As a terminal sends it."""
    with command(tmp_path, "willing") as (process, child):
        family = descendants(process.pid) | {child}
        for pid in (process.pid, *family):
            os.kill(pid, signal.SIGINT)
        assert process.wait(10) == 130
        assert gone(family)
        assert [p.name for p in tmp_path.iterdir()] == ["out.ready"]
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_killing_it_kills_what_works_for_it(tmp_path: Path) -> None:
    with command(tmp_path, "willing") as (process, child):
        family = descendants(process.pid) - {child}
        process.kill()
        assert gone(family)
        os.kill(child, signal.SIGKILL)


def test_a_crash_is_an_error_and_leaves_no_draft(tmp_path: Path) -> None:
    with command(tmp_path, "willing") as (process, child):
        (worker,) = descendants(process.pid) - {child}
        os.kill(worker, signal.SIGSEGV)
        assert process.wait(10) == 14
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert "SIGSEGV" in said
        assert all(f"\n  {label:<6} " in said for label in ("where", "why", "try"))
        assert [p.name for p in tmp_path.iterdir()] == ["out.ready"]
        assert gone({child})


def test_a_command_ends_with_the_process_that_wanted_it(tmp_path: Path) -> None:
    """An export goes on for nobody when a worker of a sweep is killed."""
    program = (
        "import os, sys\nfrom edgevit.support import child\n"
        f"child.module_command = lambda *_: [sys.executable, '-c', {COMMAND!r}, {str(tmp_path / 'out')!r}]\n"
        "child.run_command(['doctor'])\n"
    )
    environment = {**os.environ, "STUBBORN": STUBBORN["catches all"]}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as wanting:
        child = int(waited(tmp_path / "out.ready"))
        family = descendants(wanting.pid) | {child}
        assert len(family) == 3
        wanting.kill()
    assert gone(family, SECONDS)
    assert [p.name for p in tmp_path.iterdir()] == ["out.ready"]


def test_a_command_that_takes_too_long_clears_up(tmp_path: Path) -> None:
    from edgevit.support import child

    def slow(*_words: str) -> list[str]:
        return [sys.executable, "-c", COMMAND, str(tmp_path / "out")]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "module_command", slow)
        patch.setenv("STUBBORN", STUBBORN["ignores"])
        with pytest.raises(subprocess.TimeoutExpired):
            run_command(["doctor"], limit=2.0)
    assert [p.name for p in tmp_path.iterdir()] == ["out.ready"]


def test_its_exit_code_and_its_answer_pass_through() -> None:
    done = run_command(["targets", "qemu-m4", "--json"])
    assert done.code == 0
    assert json.loads(done.stdout)["name"] == "qemu-m4"
    assert run_command(["targets", "nothing"]).code == 7


def test_where_processes_cannot_fork_it_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert supervise(lambda: 7, lambda _: None, lambda _: 14) == 7
