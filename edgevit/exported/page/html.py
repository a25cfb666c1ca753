"""HTML building blocks of the report page. All outside text is escaped here, and only here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Cell = str | int | float | None


class Html(str):
    """Text that is HTML already."""


def text(content: object) -> Html:
    return content if isinstance(content, Html) else Html(escape(str(content)))


def tag(name: str, *content: object, **attributes: object) -> Html:
    markup = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{markup}>{''.join(map(text, content))}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    return Html("".join(map(text, parts)))


def section(identity: str, title: str, *content: object) -> Html:
    return tag("section", tag("h2", title), *content, id=identity)


def note(*content: object) -> Html:
    return tag("p", *content, class_="note")


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], caption: str, texts: int = 1
) -> Html:
    """Render a table of `texts` text columns, then figures. Wide tables scroll by themselves."""
    top = joined(tag("th", name, scope="col", class_=None if k < texts else "n") for k, name in enumerate(head))  # fmt: skip
    body = joined(
        tag("tr", *(tag("td", cell, class_=None if k < texts else "n") for k, cell in enumerate(row)))
        for row in rows
    )  # fmt: skip
    inside = tag("table", tag("caption", caption), tag("thead", tag("tr", top)), tag("tbody", body))
    return tag("div", inside, class_="wide", tabindex="0", role="region", aria_label=caption)


def fold(title: object, *content: object, count: str = "") -> Html:
    return tag("details", tag("summary", title, tag("span", count, class_="count")), *content)


def bar(share: float, kind: str = "") -> Html:
    """Render a bar of length 0 to 1, to stand beside its figure."""
    width = max(0.0, min(share, 1.0)) * 100
    return Html(f'<svg class="bar {escape(kind)}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
                f'<rect width="{width:.2f}" height="10"/></svg>')  # fmt: skip


def named(name: str, more: str) -> Html:
    """Render a name, with details below it in small type."""
    return joined([tag("code", name), tag("div", more, class_="more")])


def badge(passed: bool, words: str) -> Html:
    return tag("span", ("✓ " if passed else "✗ ") + words, class_="ok" if passed else "bad")


def tiles(entries: Iterable[tuple[str, object, object]]) -> Html:
    """Render tiles of a name, a figure and a note on the figure."""
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", figure), tag("dd", more, class_="more")) for name, figure, more in entries),
        class_="tiles",
    )  # fmt: skip
