"""Parsers of numeric options. Out-of-range values are refused with the accepted form."""

from __future__ import annotations

import math
import re
from argparse import Action, ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from edgevit.errors import UsageError

_LONGEST = 32_768
# control characters, lone surrogates, and characters that turn the text behind them
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MOST = 1e6  # beyond any mean, deviation or distance
_UNITS = {"K": 1 << 10, "M": 1 << 20}


def count(text: str) -> int:
    """Parse a count of rounds, seconds, rows or workers: 1 to a million."""
    return _whole(text, 1, 1_000_000, "a count")


def port(text: str) -> int:
    return _whole(text, 0, 65_535, "a port")


def pictures(text: str) -> int:
    """Parse a number of calibration pictures: one half chooses, the other judges."""
    return _whole(text, 2, 4096, "a number of pictures")


def threads(text: str) -> int:
    """Parse a number of threads, at most 1024. 0 stands for the number of cores."""
    return _whole(text, 0, 1024, "a number of threads")


def batch(text: str) -> int:
    return _whole(text, 1, 1 << 16, "a batch size")


def seed(text: str) -> int:
    return _whole(text, 0, (1 << 32) - 1, "a seed")


def size(text: str) -> int | tuple[int, int]:
    """Parse a size in pixels: N or HxW."""
    sides = [_whole(part, 1, 1 << 16, "a size: N or HxW") for part in text.lower().split("x", 2)]
    if len(sides) > 2:
        raise ArgumentTypeError(f"`{text[:40]}` is not a size: N or HxW")
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def sizes(text: str) -> int | tuple[int, int] | list[int | tuple[int, int]]:
    """Parse one size, or a list of different ones."""
    parsed = [size(part) for part in text.split(",")]
    if len({*parsed}) < len(parsed):
        raise ArgumentTypeError(f"`{text[:40]}` names a size twice")
    return parsed if len(parsed) > 1 else parsed[0]


def memory(text: str) -> int:
    """Parse a number of bytes, with an optional unit."""
    number, unit = text.upper().removesuffix("B"), 1
    if number[-1:] in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1]]
    return _whole(number, 1, 1 << 40, "a size: 20000, 20K or 1M") * unit


def numbers(text: str) -> tuple[float, ...]:
    """Parse a list of finite numbers: A,B,C."""
    return tuple(_number(part, "a list of numbers: 0.5,0.5,0.5", text) for part in text.split(","))


def drop(text: str) -> float:
    """Parse a cosine distance (1 - cosine): 0 to 2."""
    value = _number(text, "a distance: 0.01", text)
    if not 0 <= value <= 2:
        raise ArgumentTypeError(f"`{text}` is not a distance of 0 to 2: 0.01")
    return value


def points(text: str) -> float:
    """Parse percentage points: 0 to 100."""
    value = _number(text, "a number of points: 0.5", text)
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"`{text}` is not a number of points from 0 to 100: 0.5")
    return value


def milliseconds(text: str) -> float:
    """Parse a time: 0 to a million milliseconds."""
    value = _number(text, "a number of milliseconds: 1.5", text)
    if value < 0:
        raise ArgumentTypeError(f"`{text}` is not a number of milliseconds: 1.5")
    return value


class Words(Action):
    """Values given apart, or in one word with commas."""

    def __call__(self, parser: Any, namespace: Any, texts: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, [word for text in texts for word in words(text)])


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _whole(text: str, least: int, most: int, name: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) <= 20
    if not plain or not least <= int(text) <= most:
        raise ArgumentTypeError(f"`{text[:40]}` is not {name} ({least:,} to {most:,})")
    return int(text)


def _number(text: str, name: str, whole: str) -> float:
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) <= _MOST:  # refuses NaN, too
        raise ArgumentTypeError(f"`{whole[:60]}` is not {name}")
    return value


def require_plain(arguments: Sequence[str]) -> None:
    """Refuse empty or overlong arguments and control characters, before anything is parsed."""
    for word in arguments:
        value = word.partition("=")[2] if word.startswith("--") and "=" in word else word
        odd = _ODD.search(word)
        if value and not odd and len(word) <= _LONGEST:
            continue
        option = word.partition("=")[0] if value is not word else ""
        raise UsageError(
            f"{option or 'a word'} {'is empty' if not value else 'is not a text that is taken'}",
            where=f"{word[:40]!a}",
            why=f"it has the character U+{ord(odd[0]):04X}"
            if odd
            else f"it has {len(value):,} characters, and 1 to {_LONGEST:,} are taken",
            hint="edgevit COMMAND --help",
        )
