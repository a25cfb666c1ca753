"""Untrusted TOML and JSON: read within limits, refused with `MalformedTextError`.

A parser alone is not enough. It recurses until the stack overflows, blocks on a pipe, accepts NaN
and 10^400 as numbers, and passes on lone surrogates and NUL, which break later prints and opens.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

MOST_BYTES = 64 << 20  # a manifest lists every file and parity; a config lists every label
MOST_TOML_BYTES = 1 << 20  # hand-written files, and plans
MOST_DEPTH = 64
_WHOLE = 1 << 64
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_DIGITS = re.compile(r"^Exceeds the limit \(\d+")


class MalformedTextError(ValueError):
    """Text that is malformed or beyond the limits. `line` is 0 if the line is unknown."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


def read_json(path: str | os.PathLike[str], most: int = MOST_BYTES) -> Any:
    """Return the values of a JSON file. Raises `OSError` if it does not open, else `MalformedTextError`."""
    return parse_json(read_bytes(path, most))


def read_toml(path: str | os.PathLike[str], most: int = MOST_TOML_BYTES) -> dict[str, Any]:
    """Return the table of a TOML file. Raises `OSError` if it does not open, else `MalformedTextError`."""
    return parse_toml(decoded(read_bytes(path, most)))


def parse_json(text: str | bytes) -> Any:
    """Return the values of JSON text.

    Numbers must be finite and of at most 64 bits, nesting at most `MOST_DEPTH`, and keys unique.
    """

    def values() -> Any:
        return json.loads(
            text if isinstance(text, str) else decoded(text),
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repeats,
        )

    return _checked(values)


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table of TOML text, under the limits of `parse_json`."""
    return _checked(lambda: tomllib.loads(text))


def read_bytes(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """Return a file's bytes, at most `most`. Refuse folders, pipes and devices without blocking."""
    if "\0" in os.fspath(path):
        raise MalformedTextError("a path cannot contain NUL")
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise MalformedTextError(f"{Path(path).name} is no regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise MalformedTextError(f"it has more than {most:,} bytes")
    return data


def decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedTextError(f"byte {error.start} is not UTF-8") from error


def _checked(read: Callable[[], Any]) -> Any:
    try:
        values = read()
    except MalformedTextError:
        raise
    except RecursionError as error:
        raise MalformedTextError(f"it is nested deeper than {MOST_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise MalformedTextError(f"{error.msg}, column {error.colno}", error.lineno) from error
    except ValueError as error:
        raise _malformed(str(error)) from error
    _require_plain(values)
    return values


def _malformed(message: str) -> MalformedTextError:
    if _DIGITS.match(message):
        return MalformedTextError("a number has thousands of digits")
    line = _LINE.search(message)
    return MalformedTextError(_LINE.sub("", message), int(line[1]) if line else 0)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedTextError(f"{name} is no number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise MalformedTextError(f"{json.dumps(name)} is there twice")
        table[name] = value
    return table


def _require_plain(values: Any) -> None:
    """Refuse deep nesting and unusual values.

    Not recursive: values too deep for the parser's stack are too deep for this function's, too.
    """
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise MalformedTextError(f"it is nested deeper than {MOST_DEPTH}")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += [*value, *value.values()]
            elif isinstance(value, list):
                inner += value
            else:
                _require_sane(value)
        level = inner


def _require_sane(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedTextError(f"{value} is no number that can be used")
    if isinstance(value, int) and not -_WHOLE < value < _WHOLE:
        raise MalformedTextError("a whole number has more than 64 bits")
    if isinstance(value, str):
        if "\0" in value:
            raise MalformedTextError("a text contains NUL")
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise MalformedTextError("a text contains half a character (a lone surrogate)")
