"""Progress on a pipe: a first line, and signs of life where nothing else is said."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from edgevit.cli.main import main
from edgevit.support.heartbeat import AT_ONCE, SECONDS, Heartbeat, heard


def test_silence_is_broken_at_least_every_five_seconds() -> None:
    assert SECONDS < 5
    stream = io.StringIO()
    beating = Heartbeat(stream, "export", seconds=0.05, at_once=0.01)
    time.sleep(0.3)
    beating.stop()
    said = stream.getvalue()
    assert said.startswith("export\n") and said.count("still at work") >= 2
    time.sleep(0.1)
    assert stream.getvalue() == said


def test_who_speaks_is_not_interrupted() -> None:
    stream = io.StringIO()
    beating = Heartbeat(stream, "export", seconds=60, at_once=0.05)
    print("built", file=beating)  # type: ignore[call-overload]
    time.sleep(0.1)
    beating.stop()
    assert stream.getvalue() == "built\n"


def test_a_reader_who_is_gone_stops_nothing() -> None:
    stream = io.StringIO()
    with heard(stream, "export net") as progress:
        stream.close()
        progress.flush()


def test_a_command_says_what_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the model is built; an error that is sooner stands alone, and `--quiet` says nothing."""
    assert AT_ONCE < 1
    monkeypatch.chdir(tmp_path)
    code = "import time, torch\n\n\ndef build():\n    time.sleep(0.9)\n    return torch.nn.ReLU(), (torch.zeros(1, 3, 8, 8),)\n"
    (tmp_path / "net.py").write_text(code)
    assert main(["inspect", "net.py:build"]) == 0
    assert capsys.readouterr().err.startswith("  inspect net.py:build\n")
    assert main(["inspect", "net.py:build", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["inspect", "net.py:build", "--target", "nothing"]) == 7
    assert capsys.readouterr().err.startswith("error[E0007]")
