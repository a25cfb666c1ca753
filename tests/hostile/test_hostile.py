"""Every hostile input is answered by one of our errors: no code of it runs, nothing is written, and it costs little.

One boundary is one file `hostile_*.py` beside this one. One case: `pytest tests/hostile -k "deep JSON"`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.case import Case, Exports, Room

HERE = Path(__file__).parent
CASES: list[Case] = [
    case
    for path in sorted(HERE.glob("hostile_*.py"))
    for case in importlib.import_module(f"tests.hostile.{path.stem}").CASES
]
MEGABYTES = 4096
# Boundaries whose cases are every field times every odd value; so are options with numbers.
CROSSED = ("target", "manifest", "plan", "integer graph", "store", "pt2", "hf config")


def cases() -> Iterator[Any]:
    """All cases; of crossed ones, an eighth of the pairs runs by default, chosen by the hash of its name."""
    for case in CASES:
        boundary, _, said = case.name.partition(": ")
        crossed = boundary in CROSSED and re.search(r" (is|with|=) ", said)
        crossed = crossed or re.match("(check|inspect|profile|tune) --", boundary)
        left_out = crossed and zlib.crc32(case.name.encode()) % 8
        yield pytest.param(case, id=case.name, marks=pytest.mark.long if left_out else ())


@pytest.fixture(scope="session")
def server() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    yield process
    process.kill()
    process.wait()


def ask(server: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any]:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def listing(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.lstat().st_size if not path.is_dir() else 0
        for path in folder.rglob("*")
    }


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", list(cases()))
def test_hostile_input(
    case: Case, tmp_path: Path, server: subprocess.Popen[str], exports: Exports
) -> None:
    room, output = Room(tmp_path / "room", exports), tmp_path / "output"
    room.path.mkdir()
    output.mkdir()
    words = [str(word) for word in case.make(room)]
    before = listing(room.path)
    environment = {"HOME": str(exports.home), "EDGEVIT_STORE": str(tmp_path / "store.sqlite")}
    answer = ask(
        server,
        {
            "words": words,
            "directory": str(room.path),
            "output": str(output),
            "environment": environment,
        },
    )
    told = (
        f"edgevit {' '.join(map(ascii, words))}\n{answer['out'][-2000:]}\n{answer['err'][-4000:]}"
    )
    assert not room.canary.exists(), f"its code ran: {told}"
    assert answer["code"] in case.codes, f"exit code {answer['code']}: {told}"
    assert "Traceback" not in answer["err"], told
    assert case.says.lower() in (answer["err"] + answer["out"]).lower(), told
    assert listing(room.path) == before, told
    assert answer["megabytes"] < MEGABYTES, told
    assert not terminal_controls(answer["out"] + answer["err"]), told
    if not case.passes:
        assert_is_an_answer(answer["err"], told)


def assert_is_an_answer(stderr: str, told: str) -> None:
    first = re.search(r"error\[E\d{4}\]: ", stderr)
    start = first.start() if first else pytest.fail(f"no error: {told}")
    for label in ("where", "why", "try"):
        assert f"\n  {label:<6} " in stderr[start:], f"no `{label}`: {told}"


def terminal_controls(text: str) -> set[str]:
    """Characters that make a terminal do something else than show them."""
    return {c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0}
