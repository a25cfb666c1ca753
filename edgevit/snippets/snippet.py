"""One file of calling code: its name, its template and the values of the template's marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgevit.snippets.facts import Facts

Writer = Callable[[Facts], Mapping[str, str]]  # the marks of a template and their texts


@dataclass(frozen=True)
class Snippet:
    name: str  # of the file
    template: str
    marks: Writer
