"""Typed access to one TOML table. Errors name the file and the key."""

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
# Titles and chip names go into build files, C, Markdown and HTML: no character may be special.
_ODD = re.compile(r"[^\w .,:;()/+&'#%=*!?~\[\]°²³×–-]|/\*|\*/")
_LONGEST = 1000  # characters; two sources may be joined
_SIZE = re.compile(r"([0-9]{1,6}) ?(B|KiB|MiB|GiB)")
_MOST = 1 << 50
_UNIT = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Fields:
    """TOML table. Unknown keys are refused at construction."""

    def __init__(
        self,
        values: Any,
        file: str,
        path: str = "",
        *,
        allowed: Collection[str],
        origins: Mapping[str, str] | None = None,  # key -> the file it was inherited from
    ) -> None:
        self.file = file
        self.path = path
        self._origins = origins or {}
        if not isinstance(values, dict):
            raise self._error(f"`{path}` is {_word(values)}", why=f"`{path}` is a table")
        self._values = cast(Mapping[str, Any], values)
        for key in self._values:
            if key not in allowed:
                raise self._error(
                    f"unknown key `{key}`",
                    key,
                    why="known here: " + ", ".join(sorted(allowed)),
                    hint=suggest(key, allowed),
                )

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def _error(self, message: str, key: str = "", *, why: str = "", hint: str = "") -> TargetError:
        return TargetError(message, where=self.where(key), why=why, hint=hint)

    def where(self, key: str = "") -> str:
        dotted = ".".join(part for part in (self.path, key) if part)
        return f"{self._file_of(key)}  {dotted}".rstrip()

    def get(self, key: str, kind: type[T]) -> T | None:
        """Return the value of `key`, or None if it is missing."""
        value = self._values.get(key)
        if value is None:
            return None
        if not _is(value, kind):
            raise self._error(f"`{key}` is {_word(value)}", key, why=f"it is {_IN_WORDS[kind]}")
        if isinstance(value, str):
            self._check_text(key, value)
        return value

    def pattern(self, key: str, pattern: str, why: str) -> str | None:
        """Return a text that matches a pattern, such as a linker script's region name, or None."""
        value = self.get(key, str)
        if value is not None and not re.fullmatch(pattern, value, re.ASCII):
            raise self._error(f"`{key}` is `{value}`", key, why=why)
        return value

    def _check_text(self, key: str, value: str) -> None:
        if value.strip() == "":
            raise self._error(f"`{key}` is empty", key, why="it is text for people")
        if len(value) > _LONGEST:
            why = f"it has {len(value)} characters; at most {_LONGEST} are taken"
            raise self._error(f"`{key}` is too long", key, why=why)
        if odd := _ODD.search(value):
            spelt = " ".join(f"U+{ord(c):04X}" for c in odd[0])
            why = f"`{odd[0]}` ({spelt}) means something in the files that the text is written into"
            raise self._error(f"`{key}` has a character that it cannot", key, why=why)

    def need(self, key: str, kind: type[T]) -> T:
        value = self.get(key, kind)
        if value is None:
            why = "it is needed here"
            raise self._error(f"`{key}` is missing", key, why=why, hint=f"add `{key} = ...`")
        return value

    def positive(self, key: str, most: int = _MOST) -> int | None:
        value = self.get(key, int)
        if value is not None and not 0 < value <= most:
            why = f"it is above zero, and at most {most:,}"
            raise self._error(f"`{key}` is {value}", key, why=why)
        return value

    def number(self, key: str) -> float | None:
        """Return a number above zero, integer or not, or None if it is missing."""
        value = self._values.get(key)
        number = value if _is(value, int) else self.get(key, float)
        if number is None:
            return None
        if not 0 < number <= _MOST:
            why = f"it is above zero, and at most {_MOST:,}"
            raise self._error(f"`{key}` is {number}", key, why=why)
        return float(number)

    def size(self, key: str) -> int:
        """Return a size in bytes, written "320 KiB"."""
        value = self._values.get(key)
        if value is None:
            return self.need(key, int)  # raises
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[1]) == 0:
            why = 'a size is text, a number above zero and one of B, KiB, MiB, GiB: "320 KiB"'
            raise self._error(f"`{key}` is {value!r}", key, why=why)
        return int(match[1]) * _UNIT[match[2]]

    def names(self, key: str, allowed: Collection[str] = ()) -> tuple[str, ...]:
        """Return a list of distinct texts, each out of `allowed` if that is not empty."""
        values = cast(list[Any], self.get(key, list) or [])
        if len(values) > 64:
            raise self._error(f"`{key}` is too long", key, why="at most 64 names are taken")
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise self._error(f"`{key}` holds {_word(value)}", key, why="it lists names")
            self._check_text(key, value)
            if value in values[:index]:
                raise self._error(f"`{key}` names `{value}` twice", key, why="once is enough")
            if allowed:
                self._check_word(key, value, allowed)
        return tuple(cast(list[str], values))

    def word(self, key: str, allowed: Collection[str]) -> str:
        """Return a text out of `allowed`."""
        value = self.need(key, str)
        self._check_word(key, value, allowed)
        return value

    def _check_word(self, key: str, value: str, allowed: Collection[str]) -> None:
        if value not in allowed:
            why = "known: " + ", ".join(allowed)
            raise self._error(
                f"`{key}` has no `{value}`", key, why=why, hint=suggest(value, allowed)
            )

    def table(self, key: str, allowed: Collection[str]) -> Fields | None:
        values = self._values.get(key)
        if values is None:
            return None
        return Fields(values, self._file_of(key), self._dotted(key), allowed=allowed)

    def tables(self, key: str, allowed: Collection[str]) -> tuple[Fields, ...]:
        """Return the tables of a `[[key]]`."""
        values = self._values.get(key, [])
        if not isinstance(values, list):
            message = f"`{key}` is {_word(values)}"
            raise self._error(message, key, why="there can be several", hint=f"write [[{key}]]")
        if len(cast(list[Any], values)) > 64:
            raise self._error(f"`{key}` is too long", key, why="at most 64 tables are taken")
        return tuple(
            Fields(value, self._file_of(key), f"{self._dotted(key)}[{index}]", allowed=allowed)
            for index, value in enumerate(cast(list[Any], values))
        )

    def _file_of(self, key: str) -> str:
        return self._origins.get(key, self.file)

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _is(value: object, kind: type[T]) -> TypeGuard[T]:
    """Check a value's type. A bool is no int here, unlike in Python."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _word(value: object) -> str:
    return _IN_WORDS.get(type(value), type(value).__name__)
