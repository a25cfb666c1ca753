"""Calling code for an artifact, in the languages of its device, generated from its manifest."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.snippets.ports import ports_of
    from edgevit.snippets.write import write_calls

__all__ = ["ports_of", "write_calls"]

lazy_face(
    __name__,
    {
        "ports": ("ports_of",),
        "write": ("write_calls",),
    },
)
