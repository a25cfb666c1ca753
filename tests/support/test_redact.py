"""Passwords of databases are in nothing that is printed or written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.cli.main import main
from edgevit.errors import EdgevitError, redacted, without_secrets

SECRET = "sEcr3t"
HIDDEN = [
    f"postgresql://me:{SECRET}@127.0.0.1:1/db",
    f"postgres://me:a@{SECRET}@127.0.0.1:1/db",
    f"postgresql://me:a%40{SECRET}@127.0.0.1:1/db",
    f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}",
    f"postgresql://127.0.0.1:1/db?sslpassword={SECRET}&connect_timeout=1",
    f"host=127.0.0.1 port=1 password={SECRET} dbname=db",
    f"host=127.0.0.1 port=1 password='a b {SECRET}' dbname=db",
    f"host=127.0.0.1 port=1 password = 'a\\'b {SECRET}'",
    f"mysql://me:{SECRET}@host/db",
    f"postgresql://me:{SECRET}@[::1/db",
    f"postgresql://me:{SECRET}@127.0.0.1:port/db",
    f"postgresql://:{SECRET}@/db",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/db",
]


@pytest.mark.parametrize("address", HIDDEN)
def test_an_address_keeps_its_secret(address: str) -> None:
    assert SECRET not in redacted(address)
    assert SECRET not in without_secrets(f"could not translate host name \"{SECRET}@host\"", address)  # fmt: skip
    error = EdgevitError(address, where=address, why=address, hint=address)
    assert SECRET not in str(error) + json.dumps(error.as_dict()) + repr(error)


@pytest.mark.parametrize(
    "text", ["postgresql://me@host/db", "https://docs.rs/a:b", "a=b, token ring", "x@y.z", "~/a.sqlite"]
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="'\"`", exclude_categories=["Z", "C"]), min_size=1))  # fmt: skip
def test_no_password_is_shown(password: str) -> None:
    shown = redacted(f"postgresql://me:{password}@host/db")
    assert shown == "postgresql://me:***@host/db"


COMMANDS = (["history", "--store"], ["tune", "net.py:build", "--target", "linux-x86", "--study"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("address", HIDDEN)
def test_every_address_is_kept(
    words: list[str],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require_kept([*words, address], tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["history", "--store"],
        ["history", "--json", "--store"],
        ["history", "--compare", "1", "2", "--store"],
        ["history", "--nothing-like-this"],
        ["profile", "absent", "--store"],
        [
            "tune",
            "net.py:build",
            "--target",
            "linux-x86",
            "--budget",
            "1",
            "-o",
            "tuned",
            "--store",
        ],
        [
            "tune",
            "net.py:build",
            "--target",
            "linux-x86",
            "--budget",
            "1",
            "-o",
            "tuned",
            "--study",
        ],
        ["profile", "absent", "--on"],
        ["targets"],
        ["inspect"],
    ],
    ids=" ".join,
)
def test_commands_keep_it(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require_kept([*words, HIDDEN[0]], tmp_path, monkeypatch, capsys)


def require_kept(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) not in (0, 70)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    for path in tmp_path.rglob("*"):
        assert SECRET not in str(path)
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_it_is_kept_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEVIT_STORE", HIDDEN[0])
    assert main(["history", "--json"]) == 18
    assert SECRET not in "".join(capsys.readouterr())
