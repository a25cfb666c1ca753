"""Devices for tests: an ssh server on loopback, an exported net."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import edgevit
from edgevit.errors import ToolMissing

ROOT = Path(__file__).parent.parent.parent
MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


def needed(program: str, package: str) -> str:
    """The path of a program, or a skip, which fails in CI."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is not None:
        return path
    if os.environ.get("CI") or os.environ.get("EDGEVIT_CI"):
        raise ToolMissing(f"{program} is not installed", hint=f"apt-get install {package}")
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


@dataclass(frozen=True)
class Board:
    """An ssh server on loopback, and a client's configuration that knows it."""

    port: int
    folder: Path
    work: Path  # where artifacts are pushed to
    config: Path
    python: str = sys.executable

    @property
    def address(self) -> str:
        who = f"{getpass.getuser()}@127.0.0.1:{self.port}"
        return f"ssh://{who}?python={self.python}&dir={self.work}&config={self.config}"

    def configured(self, name: str, **changes: Path) -> Board:
        """The same server, for a client with other files."""
        files = {"known_hosts": self.folder / "known_hosts", "key": self.folder / "key", **changes}
        config = self.folder / name
        config.write_text(
            f"IdentityFile {files['key']}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {files['known_hosts']}\nGlobalKnownHostsFile /dev/null\n"
        )
        return replace(self, config=config)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measure") / "exported"
    edgevit.export(MODEL, target="linux-x86", format="onnx", output=folder)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    yield from _server(tmp_path_factory.mktemp("sshd"))


@pytest.fixture
def board(server: Board, tmp_path: Path) -> Board:
    work = tmp_path / "board"
    work.mkdir()
    return replace(server, work=work)


def _server(folder: Path) -> Generator[Board]:
    sshd, keygen = needed("sshd", "openssh-server"), needed("ssh-keygen", "openssh-client")
    needed("ssh", "openssh-client")
    for name in ("host", "key", "stranger"):
        words = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(words, check=True)
    port = free_port()
    (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
    public = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (folder / "other_hosts").write_text(
        f"[127.0.0.1]:{port} {(folder / 'stranger.pub').read_text()}"
    )
    (folder / "no_hosts").write_text("")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPidFile {folder / 'pid'}\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "Subsystem sftp internal-sftp\nMaxStartups 100\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in as root
    log = (folder / "log").open("w")
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield Board(port, folder, folder, folder / "config").configured("config")
    finally:
        process.terminate()
        process.wait()
        log.close()


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measure") / "firmware"
    edgevit.export("zoo:vit-i32-p8-d32-h2-l1", target="qemu-m4", output=folder)
    return folder
