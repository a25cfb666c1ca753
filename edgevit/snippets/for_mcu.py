"""Calling code for this format's artifacts."""

from __future__ import annotations

from edgevit.snippets import firmware
from edgevit.snippets.snippet import Snippet

SNIPPETS = (Snippet("call.c", "mcu.c", firmware.marks),)
