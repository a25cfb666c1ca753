"""SQLite and PostgreSQL behind one small interface for the store. Errors become `StoreError`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from edgevit.errors import MissingToolError, StoreError, redacted, without_secrets

WAIT = 10.0  # seconds for another process to finish its write


class Database(Protocol):
    where: str
    serial: str  # type of an auto-increment column

    def version(self) -> int | None:
        """Return the schema version, or None for a store without tables."""
        ...

    def create(self, statements: Sequence[str], version: int) -> None: ...

    def read(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]: ...

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None: ...

    def close(self) -> None: ...


def open_sqlite(path: Path, wait: float | None = None) -> Sqlite:
    with _sqlite_errors(path):
        if os.path.lexists(path) and not path.is_file():
            raise OSError("it is no regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WAIT if wait is None else wait)
    return Sqlite(path, connection)


class Sqlite:
    serial = "INTEGER PRIMARY KEY"

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.where = str(path)
        self._path = path
        self._connection = connection

    def version(self) -> int | None:
        with _sqlite_errors(self._path):
            self._connection.execute("PRAGMA trusted_schema = OFF")  # the file is untrusted
            listed = "SELECT name, type FROM sqlite_master WHERE name IN ('store_version', 'measurements')"
            tables = dict(self._connection.execute(listed).fetchall())
            if "store_version" not in tables:
                return None
            if set(tables.values()) != {"table"}:  # a view may never terminate
                raise sqlite3.DatabaseError("its measurements are no table")
            (number,) = self._connection.execute(
                "SELECT MAX(version) FROM store_version"
            ).fetchone()
            return number if isinstance(number, int) else -1

    def create(self, statements: Sequence[str], version: int) -> None:
        with _sqlite_errors(self._path), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")  # lock: only one process creates the tables
            for statement in statements:
                connection.execute(statement)
            if connection.execute("SELECT * FROM store_version").fetchone() is None:
                connection.execute("INSERT INTO store_version VALUES (?)", [version])

    def read(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with _sqlite_errors(self._path):
            return self._connection.execute(statement, list(values)).fetchall()

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with _sqlite_errors(self._path), self._connection as connection:
            connection.executemany(statement, rows)

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
        said = str(error)
        if "locked" in said:
            raise StoreError(
                "the store of measurements is locked",
                where=str(path),
                why=f"another process has been writing to it for {WAIT:g} s and more",
                hint="wait for it or end it; --store FILE takes another, --no-store none",
            ) from error
        raise StoreError(
            "the store of measurements cannot be used",
            where=str(path),
            why=said,
            hint="--store FILE takes another, --no-store none",
        ) from error


def open_postgres(url: str) -> Postgres:
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "psycopg is not installed",
            why="it speaks to PostgreSQL",
            hint="pip install 'edgevit[store]'",
        ) from error
    where = redacted(url)
    with _postgres_errors(where, url):
        wait = f"-c lock_timeout={int(WAIT * 1000)}"
        connection = psycopg.connect(
            url,
            connect_timeout=int(WAIT),
            options=wait,
            client_encoding="utf8",  # a server without an encoding would return bytes
            autocommit=True,
        )
    return Postgres(where, connection)


class Postgres:
    serial = "BIGSERIAL PRIMARY KEY"

    def __init__(self, where: str, connection: Any) -> None:
        self.where = where
        self._connection = connection

    def version(self) -> int | None:
        with _postgres_errors(self.where):
            table = self._connection.execute("SELECT to_regclass('store_version')").fetchone()
            if table == (None,):
                return None
            asked = self._connection.execute("SELECT MAX(version) FROM store_version")
            return asked.fetchone()[0]

    def create(self, statements: Sequence[str], version: int) -> None:
        with _postgres_errors(self.where), self._connection.transaction():
            # Lock: only one process creates the tables.
            self._connection.execute("SELECT pg_advisory_xact_lock(7209117)")
            for statement in statements:
                self._connection.execute(statement)
            if self._connection.execute("SELECT * FROM store_version").fetchone() is None:
                self._connection.execute("INSERT INTO store_version VALUES (%s)", [version])

    def read(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with _postgres_errors(self.where):
            return self._connection.execute(_marked(statement), list(values)).fetchall()

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with _postgres_errors(self.where), self._connection.transaction():
            self._connection.cursor().executemany(_marked(statement), rows)

    def close(self) -> None:
        self._connection.close()


def _marked(statement: str) -> str:
    """Convert SQLite's `?` placeholders to psycopg's `%s`."""
    return statement.replace("%", "%%").replace("?", "%s")


@contextlib.contextmanager
def _postgres_errors(where: str, url: str = "") -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise StoreError(
            "the store of measurements is locked",
            where=where,
            why=str(error).strip(),
            hint="wait for the other process; --no-store leaves the store alone",
        ) from error
    except psycopg.Error as error:
        raise StoreError(
            "the store of measurements cannot be used",
            where=where,
            why=without_secrets(str(error).strip(), url) or type(error).__name__,
            hint="is the server up, and does the database exist? --no-store leaves the store alone",
        ) from error
