"""A drawing of the folder as elements of the page, so that its titles show where the pointer rests.

Only shapes and texts are taken over, with attributes that place or colour them: what else a file
may hold does not get into the page.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from edgevit.exported.page.html import Html, tag

_SPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset({"rect", "line", "text", "title", "g"})
_ATTRIBUTES = frozenset(
    {"x", "y", "x1", "x2", "y1", "y2", "width", "height", "fill", "stroke", "text-anchor"}
)


def inline(drawing: bytes, words: str) -> Html | str:
    """Return the drawing as an element, described by `words`, or nothing if it is none of ours."""
    if b"<!" in drawing:  # no document type, hence no entities: ours has none
        return ""
    try:
        root = ElementTree.fromstring(drawing.decode())
    except (ElementTree.ParseError, UnicodeDecodeError):
        return ""
    frame = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": words}
    return tag("svg", *map(_copied, root), class_="picture", **frame)


def _copied(element: Element) -> Html | str:
    name = element.tag.removeprefix(_SPACE)
    if name not in _ELEMENTS:
        return ""
    attributes = {key: text for key, text in element.attrib.items() if key in _ATTRIBUTES}
    return tag(name, element.text or "", *map(_copied, element), **attributes)
