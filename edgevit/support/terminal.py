"""Terminal output: untrusted names cannot move the cursor, change colours or reverse text."""

from __future__ import annotations

import re
from typing import TextIO

from edgevit.support.stdout import answers

# C0 but for tab and line end, DEL, C1; marks that turn the direction of text; halves of characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def shown(text: str) -> str:
    r"""Escape characters that a terminal interprets, as JSON does: `\u001b`."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def show(text: object, *, end: str = "\n", file: TextIO | None = None, flush: bool = False) -> None:
    """Print text, escaping terminal controls and characters outside the stream's encoding."""
    stream = answers() if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = shown(str(text)).encode(encoding, "backslashreplace").decode(encoding)
    print(safe, end=end, file=stream, flush=flush)
