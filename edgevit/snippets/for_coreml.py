"""Calling code for this format's artifacts."""

from __future__ import annotations

from edgevit.backends import Snippet
from edgevit.snippets import coreml
from edgevit.snippets.templates import TEMPLATES

SNIPPETS = (Snippet("Call.swift", TEMPLATES / "coreml.swift.txt", coreml.marks, coreml.SWIFT),)
