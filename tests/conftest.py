"""Shared by all tests."""

from __future__ import annotations

import itertools
import os

import pytest

# Two test processes share two cores; torch's own threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _a_store_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads what another has measured, or writes to the user's store."""
    name = f"store-{next(_STORES)}.sqlite"
    monkeypatch.setenv("EDGEVIT_STORE", str(tmp_path_factory.getbasetemp() / name))


_STORES = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nets", type=int, default=200, help="how many random nets go through everything"
    )
    parser.addoption(
        "--firmware-nets", type=int, default=100, help="how many random nets run on every core"
    )
    parser.addoption("--net-seed", type=int, default=None, help="only the random net of this seed")
