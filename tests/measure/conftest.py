"""Devices for tests: an ssh server on loopback, an exported net."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import edgevit
from tests import ROOT
from tests.measure.boards import Board
from tests.servers import free_port, listens, needed, wait_until

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


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
