"""Tuning by measurement: the search space, the search, and the plan of the result."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.tune.api import tune
    from edgevit.tune.request import Budget, TuneRequest
    from edgevit.tune.space import point_text
    from edgevit.tune.tune import Tuned

__all__ = ["Budget", "TuneRequest", "Tuned", "point_text", "tune"]

lazy_face(
    __name__,
    {
        "api": ("tune",),
        "request": ("TuneRequest", "Budget"),
        "space": ("point_text",),
        "tune": ("Tuned",),
    },
)
