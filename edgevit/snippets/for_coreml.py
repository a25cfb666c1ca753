"""Calling code for this format's artifacts."""

from __future__ import annotations

from edgevit.snippets import coreml
from edgevit.snippets.snippet import Snippet

SNIPPETS = (Snippet("Call.swift", "coreml.swift", coreml.marks),)
