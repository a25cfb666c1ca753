"""Shared by the tests of hostile inputs."""

from __future__ import annotations

import os

import pytest

from tests.hostile.case import Exports


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Exports(shared / "hostile-exports")
