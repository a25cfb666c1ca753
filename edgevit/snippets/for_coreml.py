"""Calling code for this format's artifacts."""

from __future__ import annotations

from edgevit.backends import Snippet
from edgevit.snippets import coreml
from edgevit.snippets.templates import TEMPLATES

SNIPPETS = (Snippet("Call.swift", TEMPLATES / "coreml.swift.txt", coreml.marks, coreml.SWIFT),)
PART_SESSION = '''import coremltools


def session(path, part):
    """Return a function from the part's inputs to its outputs. Only macOS can run it."""
    model = coremltools.models.MLModel(path, function_name=part.get("function"))
    whole = model.get_spec().description
    own = next((one for one in whole.functions if one.name == part.get("function")), whole)

    def run(*values):
        outputs = model.predict({one.name: value for one, value in zip(own.input, values)})
        return [outputs[one.name] for one in own.output]

    return run
'''
