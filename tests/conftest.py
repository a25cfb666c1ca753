"""Shared by all tests."""

from __future__ import annotations

import os

import pytest

# Two test processes share two cores; torch's own threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nets", type=int, default=200, help="how many random nets go through everything"
    )
    parser.addoption(
        "--firmware-nets", type=int, default=100, help="how many random nets run on every core"
    )
    parser.addoption("--net-seed", type=int, default=None, help="only the random net of this seed")
