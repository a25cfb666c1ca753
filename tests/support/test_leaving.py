"""A command ends without freeing what it has loaded, and loses nothing that it was to write or to tidy up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NET = """\
import atexit, sys
from pathlib import Path
from torch import nn, zeros

HERE = Path(__file__).parent
atexit.register(lambda: (HERE / "handler").touch())


class Freed:
    def __del__(self, touch=(HERE / "freed").touch):
        touch()


KEPT = Freed()


def build():
    return nn.Conv2d(3, 4, 3).eval(), (zeros(1, 3, 8, 8),)


def refused():
    sys.exit("not today")
"""


@pytest.mark.parametrize(
    ("function", "code", "told"), [("build", 0, "ops"), ("refused", 3, "not today")]
)
def test_handlers_run_and_nothing_is_freed(
    function: str, code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(NET)
    words = [sys.executable, "-m", "edgevit", "inspect", f"{tmp_path / 'net.py'}:{function}"]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == code, run.stderr
    assert told in run.stdout + run.stderr
    assert (tmp_path / "handler").exists()
    assert not (tmp_path / "freed").exists()


def test_an_answer_that_nobody_reads_ends_as_it_did(tmp_path: Path) -> None:
    words = f"{sys.executable} -m edgevit targets | head -n 1"
    run = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words}"], capture_output=True, text=True
    )
    assert "Traceback" not in run.stderr and run.stdout.count("\n") == 1
