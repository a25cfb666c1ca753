"""Reads typed values out of one TOML table; an error names the file and the key."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeGuard, TypeVar, cast

from edgevit.errors import TargetError, suggest

T = TypeVar("T")

_IN_WORDS: dict[type, str] = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "a table",
}
_SIZE = re.compile(r"(\d{1,15}) ?(B|KiB|MiB|GiB)")
_UNIT = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Fields:
    """A TOML table. Refuses keys it does not know as soon as it is made."""

    def __init__(
        self,
        values: Any,
        file: str,
        path: str = "",
        *,
        known: Collection[str],
        origins: Mapping[str, str] | None = None,  # key -> the file it was inherited from
    ) -> None:
        self.file = file
        self.path = path
        self._origins = origins or {}
        if not isinstance(values, dict):
            raise self._error(f"`{path}` is {_word(values)}", why=f"`{path}` is a table")
        self._values = cast(Mapping[str, Any], values)
        for key in self._values:
            if key not in known:
                raise self._error(
                    f"unknown key `{key}`",
                    key,
                    why="known here: " + ", ".join(sorted(known)),
                    hint=suggest(key, known),
                )

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def _error(self, message: str, key: str = "", *, why: str = "", hint: str = "") -> TargetError:
        return TargetError(message, where=self.where(key), why=why, hint=hint)

    def where(self, key: str = "") -> str:
        dotted = ".".join(part for part in (self.path, key) if part)
        return f"{self._file_of(key)}  {dotted}".rstrip()

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value of `key`, or None when it is not there."""
        value = self._values.get(key)
        if value is None:
            return None
        if not _is(value, kind):
            raise self._error(f"`{key}` is {_word(value)}", key, why=f"it is {_IN_WORDS[kind]}")
        if value == "":
            raise self._error(f"`{key}` is empty", key)
        return value

    def need(self, key: str, kind: type[T]) -> T:
        value = self.get(key, kind)
        if value is None:
            raise self._error(f"`{key}` is missing", key, hint=f"add `{key} = ...`")
        return value

    def positive(self, key: str) -> int | None:
        value = self.get(key, int)
        if value is not None and value <= 0:
            raise self._error(f"`{key}` is {value}", key, why="it is above zero")
        return value

    def number(self, key: str) -> float | None:
        """A number above zero, whole or not."""
        value = self._values.get(key)
        found = value if _is(value, int) else self.get(key, float)
        if found is None:
            return None
        if not 0 < found < float("inf"):
            raise self._error(f"`{key}` is {found}", key, why="it is above zero")
        return float(found)

    def size(self, key: str) -> int:
        """A size in bytes, written "320 KiB"."""
        value = self._values.get(key)
        if value is None:
            return self.need(key, int)  # raises
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[1]) == 0:
            why = 'a size is text, a number above zero and one of B, KiB, MiB, GiB: "320 KiB"'
            raise self._error(f"`{key}` is {value!r}", key, why=why)
        return int(match[1]) * _UNIT[match[2]]

    def names(self, key: str, known: Collection[str] = ()) -> tuple[str, ...]:
        """A list of different texts, each out of `known` where that is given."""
        values = cast(list[Any], self.get(key, list) or [])
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise self._error(f"`{key}` holds {_word(value)}", key, why="it lists names")
            if value in values[:index]:
                raise self._error(f"`{key}` names `{value}` twice", key)
            if known:
                self._check_word(key, value, known)
        return tuple(cast(list[str], values))

    def word(self, key: str, known: Collection[str]) -> str:
        """A text out of `known`."""
        value = self.need(key, str)
        self._check_word(key, value, known)
        return value

    def _check_word(self, key: str, value: str, known: Collection[str]) -> None:
        if value not in known:
            why = "known: " + ", ".join(known)
            raise self._error(f"`{key}` has no `{value}`", key, why=why, hint=suggest(value, known))

    def table(self, key: str, known: Collection[str]) -> Fields | None:
        values = self._values.get(key)
        if values is None:
            return None
        return Fields(values, self._file_of(key), self._dotted(key), known=known)

    def tables(self, key: str, known: Collection[str]) -> tuple[Fields, ...]:
        """The tables of a `[[key]]`."""
        values = self._values.get(key, [])
        if not isinstance(values, list):
            message = f"`{key}` is {_word(values)}"
            raise self._error(message, key, why="there can be several", hint=f"write [[{key}]]")
        return tuple(
            Fields(value, self._file_of(key), f"{self._dotted(key)}[{index}]", known=known)
            for index, value in enumerate(cast(list[Any], values))
        )

    def _file_of(self, key: str) -> str:
        return self._origins.get(key, self.file)

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _is(value: object, kind: type[T]) -> TypeGuard[T]:
    """In Python True is an int as well; in a target file it is a mistake."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _word(value: object) -> str:
    return _IN_WORDS.get(type(value), type(value).__name__)
