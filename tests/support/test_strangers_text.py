"""Text of a stranger is read within limits, or refused with the reason."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.support.strangers_text import (
    MOST_DEPTH,
    MalformedTextError,
    parse_json,
    parse_toml,
    read_json,
    read_toml,
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "deep"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "deep"),
        ("NaN", "NaN"),
        ("-Infinity", "Infinity"),
        ("1e999", "inf"),
        ("9" * 5000, "digits"),
        ("18446744073709551616", "64 bits"),
        ('"\\ud800"', "surrogate"),
        ('"\\u0000"', "NUL"),
        ('{"\\ud800": 1}', "surrogate"),
        ('{"a": 1, "a": 2}', "twice"),
        ("", "Expecting value"),
        (b"\xff", "UTF-8"),
    ],
)
def test_json_that_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(MalformedTextError, match=why):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = " + "[" * 100_000, "deep"),
        (".".join("a" * 100) + " = 1", "deep"),
        ("x = nan", "nan"),
        ("x = 1e999", "inf"),
        (f"x = {'9' * 5000}", "digits"),
        ("x = 100000000000000000000000", "64 bits"),
        ('x = "\\u0000"', "NUL"),
        ("x", "."),
        ("x = 1\nx = 2", "."),
    ],
)
def test_toml_that_is_refused(text: str, why: str) -> None:
    with pytest.raises(MalformedTextError, match=why):
        parse_toml(text)


def test_a_line_is_named() -> None:
    with pytest.raises(MalformedTextError) as toml:
        parse_toml("a = 1\nb = \n")
    with pytest.raises(MalformedTextError) as other:
        parse_json("{\n\n x}")
    assert (toml.value.line, other.value.line) == (2, 3)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab"), st.lists))
def test_json_that_is_good_is_read(values: object) -> None:
    assert parse_json(json.dumps(values)) == values


@given(st.text())
def test_no_text_ends_in_another_error(text: str) -> None:
    for parse in (parse_json, parse_toml):
        with contextlib.suppress(MalformedTextError):
            parse(text)


def test_files_that_never_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * 2000)
    for path, why in ((tmp_path / "pipe", "regular"), ("/dev/zero", "regular"), ("a\0b", "NUL")):
        with pytest.raises(MalformedTextError, match=why):
            read_json(path)
    with pytest.raises(MalformedTextError, match="1,999 bytes"):
        read_toml(tmp_path / "large", most=1999)
    with pytest.raises(IsADirectoryError):
        read_json(tmp_path)
