"""Write `call/`: one file per language, from the manifest alone.

A language that cannot express the artifact is left out, with a note that says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.backends import Facts, Snippet
from edgevit.exported import CALLS as FOLDER
from edgevit.support.backend_info import info_of

_MARK = re.compile(r"@([A-Z_]+)@")


def write_calls(folder: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the calling code below `folder`. Return one note per language left out."""
    facts = Facts.of(manifest, folder)
    (folder / FOLDER).mkdir()
    left_out = []
    place = info_of(facts.format).snippets
    snippets: tuple[Snippet, ...] = info_of(facts.format).part(place) if place else ()
    for snippet in snippets:
        why = snippet.cannot(facts)
        if why:
            left_out.append(f"no {FOLDER}/{snippet.name}: {why}")
            continue
        text = filled(snippet.template, {**facts.marks(), **snippet.marks(facts)})
        (folder / FOLDER / snippet.name).write_text(text)
    if not any((folder / FOLDER).iterdir()):
        (folder / FOLDER).rmdir()
    return tuple(left_out)


def filled(template: Path, marks: Mapping[str, str]) -> str:
    """Fill the marks of a template.

    A mark without a value raises `KeyError`, so that no `@NAME@` reaches a user.
    """
    text = template.read_text()
    text = _MARK.sub(lambda match: marks[match[1]], text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
