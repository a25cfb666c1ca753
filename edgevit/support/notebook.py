"""Results that show themselves: a few lines of text, and a small table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from html import escape

Row = tuple[str, str]  # name and value
_MOST_ROWS = 12
_CELL = "text-align:left;vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere"


class Shown(ABC):
    """A result as a title and rows. All outside text is escaped here."""

    @abstractmethod
    def _title(self) -> str: ...

    @abstractmethod
    def _rows(self) -> Iterable[Row]: ...

    def __repr__(self) -> str:
        rows = self._short_rows()
        wide = max((len(name) for name, _ in rows), default=0)
        lines = [f"  {name:<{wide}}  {_one_line(value)}" for name, value in rows]
        return "\n".join([f"<{type(self).__name__}: {_one_line(self._title())}>", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
            for name, value in self._short_rows()
        )
        caption = f'<caption style="text-align:left"><b>{escape(self._title())}</b></caption>'
        return f"<table>{caption}<tbody>{rows}</tbody></table>"

    def _short_rows(self) -> list[Row]:
        rows = [(str(name), str(value)) for name, value in self._rows()]
        more = len(rows) - _MOST_ROWS
        return rows if more <= 0 else [*rows[:_MOST_ROWS], ("...", f"{more} more")]


def _one_line(text: str) -> str:
    return " ".join(text.split())
