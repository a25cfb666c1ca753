"""Schemas of untrusted values, declared as data and checked before the values are used.

PLAN = Table({"model": Text(), "threads": Whole(0, 1024)}, optional=("threads",))
require_shape(values, PLAN)        # raises Misshapen: at `threads`, text where a whole number is expected
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgevit.errors import suggest

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class ShapeError(ValueError):
    """A value that does not match its schema. `at`: its dotted path. `why`: the violated rule."""

    def __init__(self, at: str, why: str, hint: str = "") -> None:
        super().__init__(f"`{at}`: {why}" if at else why)
        self.at = at
        self.why = why
        self.hint = hint


@dataclass(frozen=True)
class Text:
    """One line of text. `plain`: without control characters."""

    words: tuple[str, ...] = ()  # allowed texts; empty: any text
    pattern: str = ""  # must match the whole text
    rule: str = ""  # the pattern in words, for the error
    most: int = 4096
    plain: bool = True


@dataclass(frozen=True)
class WholeNumber:
    least: int
    most: int


@dataclass(frozen=True)
class Number:
    """A finite number, integer or not."""

    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True)
class Flag:
    pass


@dataclass(frozen=True)
class Null:
    pass


@dataclass(frozen=True)
class Listing:
    of: Shape
    least: int = 0
    most: int = 1 << 20


@dataclass(frozen=True)
class Either:
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Table:
    """A table. Unlisted keys must have the shape `others`, and are refused if it is None."""

    keys: Mapping[str, Shape] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    others: Shape | None = None


@dataclass(frozen=True)
class Anything:
    """Any scalars, lists and tables, for values that are only displayed."""


Shape = Text | WholeNumber | Number | Flag | Null | Listing | Either | Table | Anything


def require_shape(value: Any, shape: Shape, at: str = "") -> None:
    """Raise `ShapeError` for the first part of `value` that does not match the shape."""
    match shape:
        case Table():
            _require_table(value, shape, at)
        case Listing():
            _require_list(value, shape, at)
        case Text():
            _require_text(value, shape, at)
        case WholeNumber() | Number():
            _require_number(value, shape, at)
        case Either():
            _require_either(value, shape, at)
        case Flag():
            _require_kind(value, bool, "true or false", at)
        case Null():
            _require_kind(value, type(None), "nothing", at)
        case Anything():
            _require_anything(value, at)


def _require_table(value: Any, shape: Table, at: str) -> None:
    _require_kind(value, dict, "a table", at)
    for key in shape.keys:
        if key not in value and key not in shape.optional:
            raise ShapeError(_inside(at, key), "it is missing")
    for key, inner in value.items():
        _require_text(key, Text(most=256), _inside(at, str(key)))
        if key not in shape.keys and shape.others is None:
            expected = ", ".join(sorted(shape.keys)) or "nothing"
            raise ShapeError(
                _inside(at, key),
                f"unknown key; known here: {expected}",
                suggest(key, shape.keys),
            )
        require_shape(inner, shape.keys.get(key) or shape.others or Anything(), _inside(at, key))


def _require_list(value: Any, shape: Listing, at: str) -> None:
    _require_kind(value, list, "a list", at)
    if not shape.least <= len(value) <= shape.most:
        raise ShapeError(at, f"{len(value)} entries; {shape.least} to {shape.most} are taken")
    for index, inner in enumerate(value):
        require_shape(inner, shape.of, f"{at}[{index}]")


def _require_text(value: Any, shape: Text, at: str) -> None:
    _require_kind(value, str, "text", at)
    if len(value) > shape.most:
        raise ShapeError(at, f"a text of {len(value)} characters; at most {shape.most} are taken")
    if shape.plain and (odd := _CONTROL.search(value)):
        raise ShapeError(at, f"a control character (U+{ord(odd[0]):04X}) in a text")
    if shape.words and value not in shape.words:
        raise ShapeError(at, f"`{value}` is none of {', '.join(shape.words)}", suggest(value, shape.words))  # fmt: skip
    if shape.pattern and not re.fullmatch(shape.pattern, value):
        raise ShapeError(at, f"`{value}` is not {shape.rule or 'of the form ' + shape.pattern}")


def _require_number(value: Any, shape: WholeNumber | Number, at: str) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(shape, WholeNumber) and not whole:
        raise ShapeError(at, f"{_word(value)} where a whole number is expected")
    if not whole and not (isinstance(value, float) and math.isfinite(value)):
        raise ShapeError(at, f"{_word(value)} where a finite number is expected")
    if not shape.least <= value <= shape.most:
        raise ShapeError(at, f"{value} is outside {shape.least} to {shape.most}")


def _require_either(value: Any, shape: Either, at: str) -> None:
    first: ShapeError | None = None
    for option in shape.shapes:
        try:
            return require_shape(value, option, at)
        except ShapeError as error:
            if first is None or len(error.at) > len(first.at):  # the one that got furthest
                first = error
    raise first or ShapeError(at, "no value is taken here")


def _require_anything(value: Any, at: str) -> None:
    match value:
        case dict():
            _require_table(value, Table(others=Anything()), at)
        case list():
            _require_list(value, Listing(Anything()), at)
        case str():
            _require_text(value, Text(most=1 << 20, plain=False), at)
        case bool() | None:
            return
        case int() | float():
            _require_number(value, Number(), at)
        case _:
            raise ShapeError(
                at, f"{_word(value)} where text, a number, a list or a table is expected"
            )


def _require_kind(value: Any, kind: type, expected: str, at: str) -> None:
    if not isinstance(value, kind):
        raise ShapeError(at, f"{_word(value)} where {expected} is expected")


def _inside(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _word(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {str(value)[:24]}"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case None:
            return "nothing"
    return type(value).__name__
