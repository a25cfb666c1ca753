"""Programs that tests start beside themselves: found, or a skip that fails in CI; and a PostgreSQL of our own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgevit.errors import MissingToolError


def needed(program: str, package: str) -> str:
    """The path of a program, or a skip, which fails in CI."""
    places = [os.environ["PATH"], "/usr/sbin", "/sbin"]
    places += map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    path = shutil.which(program, path=os.pathsep.join(places))
    if path is not None:
        return path
    if os.environ.get("CI") or os.environ.get("EDGEVIT_CI"):
        raise MissingToolError(f"{program} is not installed", hint=f"apt-get install {package}")
    pytest.skip(f"{program} is not installed: apt-get install {package}")


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a server that is there meanwhile. It refuses to run as root: root runs it as nobody, in a folder
    that nobody can reach."""
    initdb, port = Path(needed("initdb", "postgresql")), free_port()
    as_user: list[str] = []
    with tempfile.TemporaryDirectory(prefix="edgevit-postgresql-", dir="/tmp") as folder:
        if os.getuid() == 0:
            as_user = [needed("setpriv", "util-linux"), "--reuid=65534", "--regid=65534", "--clear-groups"]  # fmt: skip
            shutil.chown(folder, 65534, 65534)
        data = f"{folder}/data"
        made = [str(initdb), "-D", data, "-U", "edgevit", "-A", "trust", "-N", "--no-locale"]
        subprocess.run([*as_user, *made], check=True, capture_output=True, cwd=folder)
        run = [str(initdb.with_name("postgres")), "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(
            [*as_user, *run, "-F", "-k", ""], stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            wait_until(lambda: _answers(port))
            yield f"postgresql://edgevit@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # somebody is connected still
                process.kill()
                process.wait()


def _answers(port: int) -> bool:
    """It listens before it lets anyone in."""
    import psycopg

    try:
        psycopg.connect(
            f"postgresql://edgevit@127.0.0.1:{port}/postgres", connect_timeout=2
        ).close()
    except psycopg.OperationalError:
        return False
    return True
