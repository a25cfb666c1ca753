"""Text for a terminal: what files and devices are called must not move its cursor, colour it or turn its text around."""

from __future__ import annotations

import re
from typing import TextIO

from edgevit.support.stdout import answers

# C0 but for tab and line end, DEL, C1; marks that turn the direction of text; halves of characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def shown(text: str) -> str:
    r"""Return the text with what a terminal would act on spelt out: `\u001b`, as JSON spells it too."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def show(text: object, *, end: str = "\n", file: TextIO | None = None, flush: bool = False) -> None:
    """Print, on a terminal of any encoding."""
    stream = answers() if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = shown(str(text)).encode(encoding, "backslashreplace").decode(encoding)
    print(safe, end=end, file=stream, flush=flush)
