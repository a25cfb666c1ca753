"""Text of strangers in the files that we write: titles of boards, names of layers, ports and models, labels.

A name is data in every language. A literal gives back the very text; a comment and a word of a build file give
back what can be read of it, and end nothing and start nothing.
"""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;()/+=%<>@~^|&*#!'-]")  # itself in every literal below
_WORD = re.compile(r"[^A-Za-z0-9 _.,:()+-]")
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~$])")


def comment(text: str) -> str:
    """For one line inside a comment or docstring of any language that we write."""
    line = "".join(c if c.isprintable() else "?" for c in text).replace("\\", "/")
    for ends, harmless in (('"""', "'''"), ("??", "? ?"), ("*/", "* /"), ("/*", "/ *")):
        while ends in line:
            line = line.replace(ends, harmless)
    return line


def word(text: str) -> str:
    """For build files, Kconfig and properties: letters, digits and signs that mean nothing in them."""
    return _WORD.sub("_", text)


def c_string(text: str) -> str:
    """A literal of C and C++. Octal escapes have three digits, and so end where they end."""
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
    """`\\uXXXX` is read before literals are, so that a quote or a line end is spelt in octal."""
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
    """One word of a recipe: neither make nor the shell reads anything in it."""
    return shlex.quote(re.sub(r"[\0\r\n]", "?", text)).replace("$", "$$")


def cmake_word(text: str) -> str:
    """One argument of a CMake command."""
    if re.fullmatch(r"[A-Za-z0-9_.,:=/+-]+", text):
        return text
    return '"' + re.sub(r'([\\"$])', r"\\\1", text.replace("\0", "?")) + '"'


def markdown(text: str) -> str:
    """One line of a paragraph, heading or cell of a table."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return _MARKDOWN.sub(r"\\\1", line.replace("&", "&amp;"))


def markdown_code(text: str) -> str:
    """A span of code, in a cell of a table too."""
    line = "".join(c if c.isprintable() else " " for c in text).replace("`", "'")
    return f"`{line.replace('|', chr(92) + '|')}`"
