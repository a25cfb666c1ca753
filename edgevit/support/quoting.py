"""Quoting of untrusted text in generated files: board titles, labels, names of layers and models.

A name is data in every language. A literal evaluates to exactly the text. A comment and a word of a
build file keep the readable part of it, and can neither end nor start a construct.
"""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;()/+=%<>@~^|&*#!'-]")  # itself in every literal below
_WORD = re.compile(r"[^A-Za-z0-9 _.,:()+-]")
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~$])")


def comment(text: str) -> str:
    """Make text safe for one line of a comment or docstring, in every generated language."""
    line = "".join(c if c.isprintable() else "?" for c in text).replace("\\", "/")
    for ends, harmless in (('"""', "'''"), ("??", "? ?"), ("*/", "* /"), ("/*", "/ *")):
        while ends in line:
            line = line.replace(ends, harmless)
    return line


def word(text: str) -> str:
    """Replace characters that have a meaning in build files, Kconfig or properties by `_`."""
    return _WORD.sub("_", text)


def c_string(text: str) -> str:
    """Return a C and C++ string literal. Octal escapes have three digits, a fixed length."""
    return '"' + "".join(map(_c_character, text)) + '"'


def _c_character(c: str) -> str:
    if _PLAIN.match(c):
        return c
    return "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "replace"))


def swift_string(text: str) -> str:
    return '"' + "".join(c if _PLAIN.match(c) else f"\\u{{{_scalar(c):x}}}" for c in text) + '"'


def kotlin_string(text: str) -> str:
    return '"' + "".join(c if _PLAIN.match(c) else _utf16(c) for c in text) + '"'


def java_string(text: str) -> str:
    """Return a Java string literal.

    Java expands `\\uXXXX` before it parses literals, so quotes and line ends are octal escapes.
    """
    return '"' + "".join(map(_java_character, text)) + '"'


def _java_character(c: str) -> str:
    if _PLAIN.match(c):
        return c
    return f"\\{ord(c):03o}" if ord(c) < 256 else _utf16(c)


def _utf16(c: str) -> str:
    units = c.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[k]:02x}{units[k + 1]:02x}" for k in range(0, len(units), 2))


def _scalar(c: str) -> int:
    return 0xFFFD if "\ud800" <= c <= "\udfff" else ord(c)


def python_string(text: str) -> str:
    return ascii(text)


def make_word(text: str) -> str:
    """Quote one word of a make recipe, so that neither make nor the shell expands it."""
    return shlex.quote(re.sub(r"[\0\r\n]", "?", text)).replace("$", "$$")


def cmake_word(text: str) -> str:
    """Quote one argument of a CMake command."""
    if re.fullmatch(r"[A-Za-z0-9_.,:=/+-]+", text):
        return text
    return '"' + re.sub(r'([\\"$])', r"\\\1", text.replace("\0", "?")) + '"'


def markdown(text: str) -> str:
    """Escape text for one line of a Markdown paragraph, heading or table cell."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return _MARKDOWN.sub(r"\\\1", line.replace("&", "&amp;"))


def markdown_code(text: str) -> str:
    """Return a Markdown code span, valid in table cells too."""
    line = "".join(c if c.isprintable() else " " for c in text).replace("`", "'")
    return f"`{line.replace('|', chr(92) + '|')}`"
