"""Calling code for an artifact, in the languages of its device, generated from its manifest."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.snippets.head_compiled import compiler, run_compiled
    from edgevit.snippets.head_expanded import with_head_forms
    from edgevit.snippets.head_languages import write_languages
    from edgevit.snippets.head_python import HeadCode, load_head, require_head_forms, write_head
    from edgevit.snippets.ports import ports_of
    from edgevit.snippets.write import write_calls

__all__ = [
    "HeadCode",
    "compiler",
    "load_head",
    "ports_of",
    "require_head_forms",
    "run_compiled",
    "with_head_forms",
    "write_calls",
    "write_head",
    "write_languages",
]

lazy_face(
    __name__,
    {
        "head_compiled": ("compiler", "run_compiled"),
        "head_expanded": ("with_head_forms",),
        "head_languages": ("write_languages",),
        "head_python": ("HeadCode", "load_head", "require_head_forms", "write_head"),
        "ports": ("ports_of",),
        "write": ("write_calls",),
    },
)
