"""Search for a net: trained here, planned and run for the device, and kept where nothing beats it."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.search.api import search
    from edgevit.search.request import NetLimits, SearchRequest
    from edgevit.search.search import Searched
    from edgevit.search.show import front_text

__all__ = ["NetLimits", "SearchRequest", "Searched", "front_text", "search"]

lazy_face(
    __name__,
    {
        "api": ("search",),
        "request": ("NetLimits", "SearchRequest"),
        "search": ("Searched",),
        "show": ("front_text",),
    },
)
