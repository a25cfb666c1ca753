"""Stores of measurements, studies and earlier results of a sweep that somebody else wrote."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.hostile.case import NET, Case, Room

COLUMNS = {
    "key": "k", "session": "s", "place": 0, "at": "2026-01-02T03:04:05+00:00", "label": "net onnx fp32",
    "model": "net.py:build", "target": "linux-x86", "format": "onnx", "precision_": "fp32", "artifact": "a",
    "device": json.dumps({"address": "local", "cpu": "a cpu"}), "settings": json.dumps({"threads": 1}),
    "kind": "measured", "unit": "seconds", "value": 0.002, "rounds": "[0.001, 0.002]",
    "details": json.dumps({"notes": []}),
}  # fmt: skip
LIST = ["history", "--store", "store.sqlite"]


def _store(room: Room, rows: Sequence[dict[str, Any]], more: Sequence[str] = ()) -> None:
    with sqlite3.connect(room.path / "store.sqlite") as base:
        base.execute("CREATE TABLE store_version (version)")
        base.execute("INSERT INTO store_version VALUES (1)")
        names = ", ".join(COLUMNS)
        base.execute(f"CREATE TABLE measurements (id INTEGER PRIMARY KEY, {names})")
        for row in rows:
            marks = ", ".join("?" * len(row))
            base.execute(f"INSERT INTO measurements ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # fmt: skip
        for statement in more:
            base.execute(statement)
    base.close()


def _row(name: str, column: str, value: Any, says: str = "") -> Case:
    def make(room: Room) -> Sequence[str]:
        _store(room, [{**COLUMNS, column: value}])
        return LIST

    return Case(f"store: {column} is {name}", make, says, 18)


def _rows() -> Iterator[Case]:
    wrong = {"a blob": b"\xff\x00", "nothing": None, "a number": 7, "text": "x"}
    texts = ("key", "session", "at", "label", "model", "target", "format", "precision_", "artifact", "kind", "unit")  # fmt: skip
    for column in texts:
        for name in ("a blob", "nothing", "a number"):
            yield _row(name, column, wrong[name], column)
    for column in ("device", "settings", "details", "rounds"):
        for name, value in {
            **wrong,
            "a list of lists": "[[1]]",
            "deep": "[" * 100_000,
            "NaN": "NaN",
            "1e999": "[1e999]",
            "10^22": "[10000000000000000000000]",
            "an empty list": "[]",
            "a table of nothing": '{"address": null, "notes": 3}' if column != "settings" else "3",
        }.items():
            yield _row(name, column, value)
    for name, value in {"text": "x", "inf": float("inf"), "nothing": None, "a blob": b"x"}.items():
        yield _row(name, "value", value)
    for name, value in {"negative": -1, "text": "x", "a fraction": 0.5}.items():
        yield _row(name, "place", value)


def _schemas() -> Iterator[Case]:
    statements = {
        "a version that is text": "UPDATE store_version SET version = 'x'",
        "a version of 10^18": "UPDATE store_version SET version = 1000000000000000000",
        "a version that is a blob": "UPDATE store_version SET version = x'ff'",
        "no version": "DELETE FROM store_version",
        "no table": "DROP TABLE measurements",
        "a column less": "ALTER TABLE measurements DROP COLUMN details",
        "another name": "ALTER TABLE measurements RENAME COLUMN value TO value_",
    }
    for name, statement in statements.items():

        def make(room: Room, statement: str = statement) -> Sequence[str]:
            _store(room, [COLUMNS], [statement])
            return LIST

        yield Case(f"store: {name}", make, "store", 18)

    def endless(room: Room) -> Sequence[str]:
        names = ", ".join(f"'x' AS {name}" for name in COLUMNS)
        view = (
            "CREATE VIEW measurements AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
            f"SELECT id, {names} FROM n"
        )
        _store(room, [], ["DROP TABLE measurements", view])
        return LIST

    yield Case("store: a view that computes for ever", endless, "no table", 18)


def _files() -> Iterator[Case]:
    def file(data: bytes) -> Callable[[Room], Sequence[str]]:
        def make(room: Room) -> Sequence[str]:
            room.write("store.sqlite", data)
            return LIST

        return make

    def made(kind: str) -> Callable[[Room], Sequence[str]]:
        def make(room: Room) -> Sequence[str]:
            path = room.path / "store.sqlite"
            {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}.get(kind, lambda: path.symlink_to(path))()  # fmt: skip
            return LIST

        return make

    yield Case("store: text", file(b"hello, world. " * 100), "", 18)
    yield Case("store: half a header", file(b"SQLite format 3\0" + bytes(20)), "", 18)
    yield Case("store: a damaged page", file(b"SQLite format 3\0" + b"\xff" * 5000), "", 18)
    for kind in ("folder", "pipe", "loop"):
        yield Case(f"store: a {kind}", made(kind), "", 18)
    for name, word in {
        "a device": "/dev/zero",
        "NUL in its path": "a\0b",
        "a name of 5,000 letters": "x" * 5000,
        "another scheme": "mysql://me:secret@host/db",
        "a server that is not there": "postgresql://me:secret@127.0.0.1:1/db",
        "words of libpq": "host=127.0.0.1 port=1 password=secret",
        "a URL that is none": "postgresql://[::1:secret@/",
        "below a file": "/dev/null/x.sqlite",
    }.items():
        yield Case(
            f"store: {name}", lambda room, word=word: ["history", "--store", word], "", (2, 18)
        )
    for word in ("10000000000000000000000", "-1", "x", "²", "\x1b[2J"):

        def compare(room: Room, word: str = word) -> Sequence[str]:
            _store(room, [COLUMNS])
            return [*LIST, "--compare", "1", word]

        yield Case(f"store: compared with {word!a}", compare, "", 2)

    def escapes(room: Room) -> Sequence[str]:
        device = json.dumps({"address": "\u202e\x9b31m", "cpu": "\x1b[2J"})
        _store(room, [{**COLUMNS, "label": "\x1b]0;x\x07", "device": device, "unit": "\x1b[2J"}])
        return LIST

    yield Case("store: escapes in its texts", escapes, "u001b", passes=True)


def _studies() -> Iterator[Case]:
    words = ["tune", "net.py:build", "--target", "linux-x86", "--budget", "1", "-o", "tuned", "--study"]  # fmt: skip
    for name, word in {
        "a device": "/dev/zero",
        "a server that is not there": "postgresql://me:secret@127.0.0.1:1/db",
        "words of libpq": "host=127.0.0.1 password=secret",
        "another scheme": "nothing://x",
    }.items():

        def make(room: Room, word: str = word) -> Sequence[str]:
            room.write("net.py", NET)
            return [*words, word]

        yield Case(f"study: {name}", make, "", 18)


def _trades() -> Iterator[Case]:
    for name, text in {
        "deep": "[" * 100_000,
        "a number": "7",
        "trials that are text": '["x"]',
        "figures that are text": '[{"number": 1, "figures": {"instructions": "x"}}]',
        "figures by half": '[{"number": 1, "figures": {"instructions": 1}}]',
        "NaN": '[{"number": 1, "figures": {"ms": NaN}}]',
        "results of another shape": '{"results": [{"key": 1}]}',
        "no results": "{}",
    }.items():

        def make(room: Room, text: str = text) -> Sequence[str]:
            room.write("trials.json", text)
            room.exported("onnx")
            return ["report", "onnx", "-o", "page.html", "--trades", "trials.json"]

        yield Case(f"trades: {name}", make, "trade", 2)


CASES: tuple[Case, ...] = (*_rows(), *_schemas(), *_files(), *_studies(), *_trades())
