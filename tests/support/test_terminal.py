"""The names of files do not act on a terminal."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.cli.main import main
from edgevit.support.progress import Stages
from edgevit.support.terminal import show, shown

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


@given(st.text(st.characters(codec=None), max_size=20))
def test_nothing_of_a_text_acts_on_a_terminal(text: str) -> None:
    safe = shown(text)
    assert not [c for c in safe if ord(c) < 32 and c not in "\n\t"]
    assert not [c for c in safe if 0x7F <= ord(c) < 0xA0 or c in BIDI]
    safe.encode("utf-8")  # no half of a character


def test_plain_text_stays_as_it_is() -> None:
    text = "Größe 模型 🙂\n\tx\\u001b"
    assert shown(text) == text


@given(st.text())
def test_json_stays_the_same_json(text: str) -> None:
    assert json.loads(shown(json.dumps(text, ensure_ascii=False))) == text


def test_a_terminal_of_another_encoding_is_told_too() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    show("模\udc80", file=terminal)
    assert raw.getvalue() == b"\\u6a21\\udc80\n"


def test_a_name_in_an_error_is_spelt_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "./\x1b[2J\u202e\udcff.toml"]) == 2
    err = capsys.readouterr().err
    assert "\\x1b[2J\\u202e\\udcff.toml" in err
    assert "\x1b" not in err


def test_progress_is_spelt_out() -> None:
    stream = io.StringIO()
    with Stages(stream).stage("resolve", "build \x1b]0;x\x07"):
        pass
    assert "\x1b" not in stream.getvalue() and "\\u001b]0;x\\u0007" in stream.getvalue()
