"""A study in PostgreSQL: the same command on many machines."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_study import SPACE

from edgevit.errors import StoreError
from edgevit.tune.study import Study

pytest.importorskip("optuna", reason="pip install 'edgevit[tune]'")


def needed(program: str, package: str) -> str:
    places = [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    path = shutil.which(program, path=os.pathsep.join([*places, os.environ["PATH"], "/usr/sbin"]))
    if path is None and (os.environ.get("CI") or os.environ.get("EDGEVIT_CI")):
        pytest.fail(f"{program} is not installed: apt-get install {package}")
    return path or pytest.skip(f"{program} is not installed: apt-get install {package}")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """It refuses to run as root, which runs it as another user."""
    initdb, folder = needed("initdb", "postgresql"), tmp_path_factory.mktemp("postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user: list[str] = []
    if os.getuid() == 0:
        user = [needed("setpriv", "util-linux"), "--reuid=65534", "--regid=65534", "--clear-groups"]
        shutil.chown(folder, 65534, 65534)
        for parent in folder.parents[:2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    made = [initdb, "-D", str(folder / "data"), "-U", "edgevit", "-A", "trust", "-N", "--no-locale"]
    subprocess.run([*user, *made], check=True, capture_output=True, cwd=folder)
    run = [str(Path(initdb).with_name("postgres")), "-D", str(folder / "data")]
    run += ["-h", "127.0.0.1", "-p", str(port), "-F", "-k", ""]
    process = subprocess.Popen([*user, *run], stderr=subprocess.DEVNULL, cwd=folder)
    try:
        yield f"postgresql://edgevit@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # not waiting for those who are connected
        process.wait(timeout=30)


def opened(url: str) -> Study:
    """As soon as the server answers."""
    end = time.monotonic() + 20
    while True:
        try:
            return Study(url, "s", 2)
        except StoreError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_machines_share_a_study(server: str) -> None:
    pytest.importorskip("psycopg", reason="pip install 'edgevit[store]'")
    one = opened(server)
    other = opened(server)
    wanted = [SPACE.default(), SPACE.default("b")]
    first, second = one.begin(SPACE, wanted), other.begin(SPACE, wanted)
    assert first and second and [first.point, second.point] == wanted
    one.finish(first, [1.0, 2.0], {"figures": {"kind": "emulated"}})
    other.refuse(second, "too large")
    other.set_note("model", {"graph": "ab"})
    assert one.note("model") == {"graph": "ab"}
    assert [(t.values, t.refused) for t in one.tried()] == [((1.0, 2.0), ""), ((), "too large")]
