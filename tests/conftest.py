"""Shared by all tests."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevit.cli.main import COLLECT_RARELY

# Three test processes share two cores; torch's own threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test depends on what a hub serves today, or waits for one.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
gc.set_threshold(*COLLECT_RARELY)


@pytest.fixture(autouse=True)
def _a_store_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads what another has measured, or writes to the user's store."""
    name = f"store-{next(_STORES)}.sqlite"
    monkeypatch.setenv("EDGEVIT_STORE", str(tmp_path_factory.getbasetemp() / name))


_STORES = itertools.count()
_GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: the text is that of tests/golden/NAME.txt, or becomes it with --update-golden."""

    def check(name: str, text: str) -> None:
        path = _GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), "pytest --update-golden, if this is what it should be"

    return check


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nets",
        type=int,
        default=None,
        help="random nets through everything (default: a few that cover all blocks)",
    )
    parser.addoption(
        "--firmware-nets", type=int, default=12, help="how many random nets run on every core"
    )
    parser.addoption(
        "--flips", type=int, default=30, help="how many bytes of an export are flipped, a format"
    )
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden/ instead of comparing"
    )
    parser.addoption("--long", action="store_true", help="run the tests marked `long` too")
    parser.addoption("--net-seed", type=int, default=None, help="only the random net of this seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    items[:] = [item for item in items if item.get_closest_marker("long") is None]
