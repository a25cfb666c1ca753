"""For tests that compile for cores and run on them: a missing tool is a skip, and a failure in CI."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgevit.errors import MissingToolError


@contextmanager
def skip_where_missing() -> Iterator[None]:
    try:
        yield
    except MissingToolError as missing:
        if os.environ.get("CI") or os.environ.get("EDGEVIT_CI"):
            raise
        pytest.skip(f"{missing.message}: {missing.hint}")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the portable kernels are compiled for the host, once."""
    return tmp_path_factory.mktemp("host")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    with skip_where_missing():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    with skip_where_missing():
        return (yield)
