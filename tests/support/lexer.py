"""A lexer of what all our languages share: strings, comments, and the code between them."""

from __future__ import annotations

import re
from dataclasses import dataclass

NESTING = ("kt", "swift")  # their block comments hold others


@dataclass(frozen=True)
class Lexed:
    code: str  # without strings and comments: what a compiler would do
    strings: tuple[str, ...]  # as they are spelt


def lexed(text: str, language: str) -> Lexed:
    """Of C, C++, Swift, Kotlin and Java. What is not closed is an error."""
    code, strings, at = [], [], 0
    if language == "java":  # before anything else is read
        text = re.sub(r"(?<!\\)((?:\\\\)*)\\u+([0-9a-fA-F]{4})", lambda m: m[1] + chr(int(m[2], 16)), text)  # fmt: skip
    if language in ("c", "cpp"):
        text = text.replace("??/", "\\").replace("\\\n", "")
    while at < len(text):
        if text.startswith("//", at):
            at = _end(text, "\n", at)
        elif text.startswith("/*", at):
            at = _after_block(text, at, language in NESTING)
            code.append(" ")
        elif text[at] in "\"'":
            end = _after_string(text, at, language)
            strings.append(text[at:end])
            code.append('""')
            at = end
        else:
            code.append(text[at])
            at += 1
    return Lexed("".join(code), tuple(strings))


def _end(text: str, mark: str, at: int) -> int:
    end = text.find(mark, at)
    return len(text) if end < 0 else end


def _after_block(text: str, at: int, nests: bool) -> int:
    depth, at = 1, at + 2
    while depth:
        mark = re.compile(r"\*/|/\*").search(text, at)
        assert mark, "a comment without an end"
        if mark[0] == "*/":
            depth -= 1
        elif nests:
            depth += 1
        else:
            at = mark.start() + 1
            continue
        at = mark.end()
    return at


def _after_string(text: str, at: int, language: str) -> int:
    quote, at = text[at], at + 1
    while text[at] != quote:
        assert text[at] not in "\n\r", "a string without an end"
        if language == "kt" and text[at] == "$":
            assert text[at + 1] == "{", "a template in a string"
            at = text.index("}", at)
        at += 2 if text[at] == "\\" else 1
    return at + 1
