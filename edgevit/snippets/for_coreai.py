"""Calling code for this format's artifacts."""

from __future__ import annotations

from edgevit.backends import Snippet
from edgevit.snippets import coreai
from edgevit.snippets.templates import TEMPLATES

SNIPPETS = (Snippet("Call.swift", TEMPLATES / "coreai.swift.txt", coreai.marks, coreai.SWIFT),)
