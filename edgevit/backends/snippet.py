"""One file of calling code: its name, its template and the values of the template's marks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.call_facts import Facts

Writer = Callable[[Facts], Mapping[str, str]]  # the marks of a template and their texts


@dataclass(frozen=True)
class Snippet:
    name: str  # of the file
    template: Path  # text with marks: @NAME@
    marks: Writer
    dtypes: Collection[str]  # that the language's code can hold

    def cannot(self, facts: Facts) -> str:
        """Return the reason why the file cannot be written, or an empty string."""
        odd = [p for p in (*facts.inputs, *facts.outputs) if p.dtype not in self.dtypes]
        return f"`{odd[0].name}` is {odd[0].dtype}" if odd else ""
