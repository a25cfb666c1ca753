"""Store of measurements: one SQLite file, or a PostgreSQL database that several machines share.

It is at `--store`, at EDGEVIT_STORE, or at `~/.cache/edgevit/measurements.sqlite`
(XDG_CACHE_HOME is honoured). The address is a path or postgresql://... A row is one figure. Rows
are never changed or deleted. Rows are found by a key: a hash of the artifact's content, of the
device and its runtime, and of the settings. Imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from edgevit.errors import StoreError, is_connection_string
from edgevit.measure.database import Database, open_postgres, open_sqlite
from edgevit.support.shape import Anything, Listing, Number, Table, Text, WholeNumber, require_shape
from edgevit.support.strangers_text import MalformedTextError, parse_json

VERSION = 1  # schema version; refuse newer stores, migrate older ones here
_JSON = ("device", "settings", "rounds", "details")
_TABLES = """
CREATE TABLE IF NOT EXISTS store_version (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS measurements (
    id {serial},
    key TEXT NOT NULL,
    session TEXT NOT NULL,
    place INTEGER NOT NULL,
    at TEXT NOT NULL,
    label TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    format TEXT NOT NULL,
    precision_ TEXT NOT NULL,
    artifact TEXT NOT NULL,
    device TEXT NOT NULL,
    settings TEXT NOT NULL,
    kind TEXT NOT NULL,
    unit TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    rounds TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS measurements_key ON measurements (key);
CREATE INDEX IF NOT EXISTS measurements_session ON measurements (session)
"""


@dataclass(frozen=True)
class StoredFigure:
    """One figure. `session`: shared by interleaved figures. `place`: position in the session."""

    key: str
    session: str
    place: int
    at: str  # ISO time, UTC
    label: str
    model: str
    target: str
    format: str
    precision_: str
    artifact: str  # SHA-256 of its content
    device: dict[str, Any]  # `DeviceState`
    settings: dict[str, Any]
    kind: str  # "measured" or "emulated"
    unit: str
    value: float  # the median of `rounds`
    rounds: tuple[float, ...]
    details: dict[str, Any]  # ratio, ops, layers, memory...
    id: int = 0  # assigned by the store

    def as_dict(self) -> dict[str, Any]:
        entry = asdict(self)
        return {"precision": entry.pop("precision_"), **entry}


_COLUMNS = tuple(f.name for f in fields(StoredFigure) if f.name != "id")
_TEXT = Text(plain=False)
_INDEX = WholeNumber(0, (1 << 63) - 1)
_FREE = Table(others=Anything())
_ROW = Table(
    {
        **dict.fromkeys(("key", "session", "at", "label", "model", "target", "format"), _TEXT),
        **dict.fromkeys(("precision_", "artifact", "kind", "unit"), _TEXT),
        "id": _INDEX,
        "place": _INDEX,
        "device": Table({"address": _TEXT, "cpu": _TEXT}, optional=("cpu",), others=Anything()),
        "settings": _FREE,
        "value": Number(),
        "rounds": Listing(Number(), least=1),
        "details": Table({"notes": Listing(_TEXT)}, optional=("notes",), others=Anything()),
    }
)


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.where = database.where
        try:
            self._prepare()
        except BaseException:
            database.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def find(self, key: str) -> StoredFigure | None:
        """Return the newest figure of a key, or None."""
        rows = self._select("WHERE key = ? ORDER BY id DESC LIMIT 1", [key])
        return rows[0] if rows else None

    def session(self, keys: Sequence[str]) -> tuple[StoredFigure, ...] | None:
        """Return the newest session of exactly these keys, in this order, or None."""
        for newest in self._select("WHERE key = ? AND place = 0 ORDER BY id DESC", keys[:1]):
            rows = self._select("WHERE session = ? ORDER BY place", [newest.session])
            if [row.key for row in rows] == list(keys):
                return tuple(rows)
        return None

    def add(self, rows: Sequence[StoredFigure]) -> None:
        """Add the rows, all or none."""
        marks = ", ".join("?" * len(_COLUMNS))
        self._database.write(
            f"INSERT INTO measurements ({', '.join(_COLUMNS)}) VALUES ({marks})",
            [[_column(row, name) for name in _COLUMNS] for row in rows],
        )

    def rows(
        self,
        *,
        model: str | None = None,
        device: str | None = None,
        ids: Sequence[int] | None = None,
        last: int | None = None,
    ) -> tuple[StoredFigure, ...]:
        """Return matching rows, oldest first.

        `model` is searched for in label and model spec, `device` in the device's description.
        `last` keeps that many of the newest rows.
        """
        parts, values = [], list[Any]()
        for column, text in (("label || ' ' || model", model), ("device", device)):
            if text is not None:
                parts.append(f"LOWER({column}) LIKE ?")
                values.append(f"%{text.lower()}%")
        if ids is not None:
            parts.append(f"id IN ({', '.join('?' * len(ids)) or 'NULL'})")
            values += ids
        where = "WHERE " + " AND ".join(parts) if parts else ""
        limit = f" LIMIT {int(last)}" if last is not None else ""
        return tuple(reversed(self._select(f"{where} ORDER BY id DESC{limit}", values)))

    def _select(self, rest: str, values: Sequence[Any]) -> list[StoredFigure]:
        names = ("id", *_COLUMNS)
        rows = self._database.read(f"SELECT {', '.join(names)} FROM measurements {rest}", values)
        return [self._row(dict(zip(names, row, strict=True))) for row in rows]

    def _row(self, values: dict[str, Any]) -> StoredFigure:
        """Decode and check a row. Invalid rows are refused, because a shared store is untrusted."""
        try:
            decoded = {k: _decoded(v) if k in _JSON else v for k, v in values.items()}
            require_shape(decoded, _ROW)
        except ValueError as error:
            raise StoreError(
                "the store has a figure of another shape",
                where=f"{self.where}  figure {values['id']}",
                why=str(error),
                hint="delete that row, or --store FILE takes another store",
            ) from error
        return StoredFigure(**{**decoded, "rounds": tuple(decoded["rounds"])})

    def _prepare(self) -> None:
        version = self._database.version()
        if version == VERSION:
            return
        if version is None:
            statements = _TABLES.format(serial=self._database.serial).split(";")
            self._database.create(statements, VERSION)
            version = self._database.version()
        if version != VERSION:
            raise StoreError(
                f"the store is of version {version}, this edgevit knows version {VERSION}",
                where=self.where,
                why="a newer edgevit has written it"
                if (version or 0) > VERSION
                else "an older one",
                hint="upgrade edgevit, or --store another file",
            )


def open_store(url: str | None = None) -> Store:
    """Open the store, and create it if missing.

    Raises `StoreError` if it is locked, damaged or of another version.
    """
    url = url or os.environ.get("EDGEVIT_STORE") or str(default_path())
    if url.startswith(("postgresql://", "postgres://")) or is_connection_string(url):
        return Store(open_postgres(url))
    if "://" in url and not url.startswith("sqlite://"):
        raise StoreError(
            f"`{url.partition('://')[0]}` is no store that edgevit knows",
            where=url,
            why="a store is a file or a PostgreSQL database",
            hint="give a file, or postgresql://user@host/database",
        )
    path = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else url
    file = Path(path.removeprefix("sqlite://"))
    with contextlib.suppress(RuntimeError):  # no home directory: a folder named `~x`
        file = file.expanduser()
    return Store(open_sqlite(file))


def default_path() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "edgevit" / "measurements.sqlite"


def _column(row: StoredFigure, name: str) -> Any:
    value = getattr(row, name)
    return json.dumps(value, ensure_ascii=False) if name in _JSON else value


def _decoded(text: Any) -> Any:
    if not isinstance(text, str):
        raise MalformedTextError("it is no text")
    return parse_json(text)
