"""The first operation where an exported artifact departs from its model, as a net of its own."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.bisect.api import bisect
    from edgevit.bisect.result import Bisection

__all__ = ["Bisection", "bisect"]

lazy_face(__name__, {"api": ("bisect",), "result": ("Bisection",)})
