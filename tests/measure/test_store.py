"""The store of measurements: in a file, and in a PostgreSQL server on loopback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.errors import StoreError, UsageError
from edgevit.measure import database
from edgevit.measure.history import compare
from edgevit.measure.store import VERSION, Store, StoredFigure, default_path, open_store
from tests import ROOT
from tests.servers import postgresql

SHORT = ["--rounds", "3", "--warmup", "1", "--threads", "1", "--quiet"]


def row(**changes: Any) -> StoredFigure:
    plain = StoredFigure(
        key="k",
        session="s",
        place=0,
        at="2026-01-02T03:04:05+00:00",
        label="net onnx fp32",
        model="timm:net",
        target="linux-x86",
        format="onnx",
        precision_="fp32",
        artifact="a",
        device={"address": "local", "cpu": "A 100% CPU", "cores": 2, "os": "Linux", "serial": "1"},
        settings={"threads": 1},
        kind="measured",
        unit="seconds",
        value=0.002,
        rounds=(0.001, 0.002, 0.003),
        details={"notes": []},
    )
    return replace(plain, **changes)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgresql() as url:
        yield url


def emptied(url: str) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS measurements, store_version")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = str(tmp_path / "deep" / "store.sqlite")
    else:
        url = emptied(request.getfixturevalue("postgres"))
    with open_store(url) as opened:
        yield opened


def test_what_is_added_is_found(store: Store) -> None:
    assert store.find("k") is None
    store.add([row(), row(key="other", place=1, label="50%_net")])
    store.add([row(value=0.5)])
    found = store.find("k")
    assert found is not None
    assert found == row(value=0.5, id=found.id)  # the newest, and as it was
    assert [r.key for r in store.rows()] == ["k", "other", "k"]
    assert [r.label for r in store.rows(model="50%_")] == ["50%_net"]
    assert len(store.rows(device="100% cpu")) == 3
    assert store.rows(device="another") == ()
    assert [r.id for r in store.rows(last=1)] == [found.id]
    assert [r.id for r in store.rows(ids=[found.id])] == [found.id]
    assert store.rows(ids=[]) == ()


def test_a_session_is_found_whole_or_not_at_all(store: Store) -> None:
    store.add([row(key="a", session="1"), row(key="b", session="1", place=1)])
    store.add([row(key="a", session="2")])
    found = store.session(["a", "b"])
    assert found is not None
    assert [(r.key, r.session) for r in found] == [("a", "1"), ("b", "1")]
    assert store.session(["b", "a"]) is None
    assert store.session(["a", "b", "c"]) is None
    assert store.session(["a"]) is not None


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    store._database.write("UPDATE store_version SET version = ?", [[VERSION + 1]])
    with pytest.raises(StoreError, match="is of version 2, this edgevit knows version 1") as caught:
        Store(store._database)
    assert "newer edgevit" in caught.value.why


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from tests.measure.test_store import open_store, row\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    for k in range(20): store.add([row(key=str(k))])\n"
    )
    words = [sys.executable, "-c", code, str(path), str(ROOT)]
    workers = [subprocess.Popen(words) for _ in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    with open_store(str(path)) as store:
        assert len(store.rows()) == 60


def test_a_locked_store(tmp_path: Path, monkeypatch, capsys) -> None:
    path = tmp_path / "store.sqlite"
    open_store(str(path)).__exit__(None, None, None)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(database, "WAIT", 0.1)
    assert main(["history", "--store", str(path)]) == 18
    assert "the store of measurements is locked" in capsys.readouterr().err
    holder.close()
    assert main(["history", "--store", str(path)]) == 0


def test_a_locked_server(postgres: str, monkeypatch) -> None:
    import psycopg

    open_store(emptied(postgres)).__exit__(None, None, None)
    monkeypatch.setattr(database, "WAIT", 1.0)
    with psycopg.connect(postgres) as holder:
        holder.execute("LOCK TABLE measurements")
        with open_store(postgres) as store, pytest.raises(StoreError, match="is locked"):
            store.find("k")
    with open_store(postgres) as store:
        store.find("k")


def test_a_store_that_locks_after_the_measurement_loses_no_figure(
    exported: Path, monkeypatch, capsys
) -> None:
    def locked(self: Store, rows: object) -> None:
        raise StoreError("the store of measurements is locked")

    monkeypatch.setattr(Store, "add", locked)
    assert main(["profile", str(exported), "--json", *SHORT]) == 18
    said = capsys.readouterr()
    assert json.loads(said.out)["results"][0]["latency_ms"]["median"] > 0
    assert "is locked" in said.err


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("damaged", "file is not a database"),
        ("/proc/nowhere/store.sqlite", "cannot be used"),
        ("mysql://host/x", "`mysql` is no store that edgevit knows"),
        ("postgresql://a:secret@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_stores_that_cannot_be_used(url: str, text: str, tmp_path: Path, capsys) -> None:
    if url == "damaged":
        url = str(tmp_path / url)
        Path(url).write_bytes(b"not a database at all" * 100)
    assert main(["history", "--store", url]) == 18
    said = capsys.readouterr().err
    assert text in said
    assert "secret" not in said


def test_where_the_store_is(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "edgevit" / "measurements.sqlite"
    monkeypatch.delenv("EDGEVIT_STORE")
    with open_store() as store:
        assert store.where == str(default_path())
    monkeypatch.setenv("EDGEVIT_STORE", str(tmp_path / "mine"))
    with open_store() as store:
        assert store.where == str(tmp_path / "mine")


def test_nothing_is_measured_twice(exported: Path, tmp_path: Path, capsys) -> None:
    words = ["profile", str(exported), str(exported / "TinyHybrid.onnx"), "--json", *SHORT]
    first, again = (reported(words, capsys) for _ in range(2))
    assert not first["from_store"]
    assert again["from_store"]
    assert [r["latency_ms"] for r in again["results"]] == [
        r["latency_ms"] for r in first["results"]
    ]
    assert again["results"][1]["ratio"] == first["results"][1]["ratio"]
    assert not reported([*words, "--fresh"], capsys)["from_store"]
    assert not reported([*words, "--rounds", "4"], capsys)["from_store"]  # other settings
    changed = tmp_path / "other.onnx"  # other content
    changed.write_bytes((exported / "TinyHybrid.onnx").read_bytes() + b"\x72\x00")
    words[2] = str(changed)
    assert not reported(words, capsys)["from_store"]


def test_the_store_is_left_alone_when_asked(exported: Path, capsys) -> None:
    for _ in range(2):
        assert not reported(["profile", str(exported), "--json", "--no-store", *SHORT], capsys)["from_store"]  # fmt: skip
    assert not Path(os.environ["EDGEVIT_STORE"]).exists()


def reported(words: list[str], capsys) -> dict[str, Any]:
    assert main(words) == 0
    return json.loads(capsys.readouterr().out)


def test_history_lists_and_compares(exported: Path, capsys) -> None:
    assert main(["history"]) == 0
    assert "no figures in" in capsys.readouterr().out
    reported(
        ["profile", str(exported), str(exported / "TinyHybrid.onnx"), "--json", *SHORT], capsys
    )
    assert main(["history", "--model", "tinyhybrid"]) == 0
    said = capsys.readouterr().out
    assert said.count("measured") == 2
    assert "TinyHybrid onnx fp32" in said
    assert main(["history", "--model", "resnet"]) == 0
    assert "no figures in" in capsys.readouterr().out
    assert main(["history", "--compare", "1", "2"]) == 0
    assert "round by round, measured interleaved" in capsys.readouterr().out
    assert main(["history", "--compare", "1", "9"]) == 2
    assert "the store has no figure 9" in capsys.readouterr().err
    listed = reported(["history", "--json"], capsys)
    assert [r["id"] for r in listed["rows"]] == [1, 2]
    assert listed["rows"][0]["device"]["cpu"]


def test_a_difference_counts_beyond_the_spread() -> None:
    a = row(id=1, rounds=(1.0, 1.1, 1.2))
    faster = row(id=2, place=1, rounds=(0.5, 0.56, 0.6))
    found = compare(a, faster)
    assert found.paired
    assert found.ratio == pytest.approx(0.5)  # of 0.500, 0.509, 0.500
    assert found.verdict == "B is faster"
    same = compare(a, replace(faster, rounds=(1.2, 1.0, 1.2), session="other"))
    assert not same.paired
    assert same.verdict == "no difference beyond the spread"
    with pytest.raises(UsageError, match="cannot be compared"):
        compare(a, replace(faster, kind="emulated", unit="instructions"))
