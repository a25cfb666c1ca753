"""The examples, as a reader would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_newcomer import FOREIGN

EXAMPLES = Path(__file__).parent.parent / "examples"
NUMBERED = sorted(path.name for path in EXAMPLES.glob("[0-9]*"))
# Tests of their own run the same commands: tests/budgets and tests/tune.
LONG = {"03_budgets.sh", "04_tune.sh"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in NUMBERED],
)
def test_it_runs(name: str, tmp_path: Path) -> None:
    path = EXAMPLES / name
    command = [sys.executable, str(path)] if path.suffix == ".py" else ["sh", str(path)]
    beside = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, str(tmp_path / "out")],
        cwd=tmp_path,
        env=os.environ | beside,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not FOREIGN.findall(done.stderr), done.stderr[-2000:]
    assert list(tmp_path.glob("out/**/edgevit.json"))
