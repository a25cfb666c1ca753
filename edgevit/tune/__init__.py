"""Tuning by measurement: the search space, the search, and the plan of the result."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.tune.api import tune
    from edgevit.tune.objective import reason
    from edgevit.tune.pareto import pareto
    from edgevit.tune.request import Budget, TuneRequest
    from edgevit.tune.space import Point, Space, point_key, point_text
    from edgevit.tune.study import FinishedTrial, Running, Sampling, Study
    from edgevit.tune.tune import Tuned

__all__ = [
    "Budget",
    "FinishedTrial",
    "Point",
    "Running",
    "Sampling",
    "Space",
    "Study",
    "TuneRequest",
    "Tuned",
    "pareto",
    "point_key",
    "point_text",
    "reason",
    "tune",
]

lazy_face(
    __name__,
    {
        "api": ("tune",),
        "objective": ("reason",),
        "pareto": ("pareto",),
        "request": ("TuneRequest", "Budget"),
        "space": ("Point", "Space", "point_key", "point_text"),
        "study": ("FinishedTrial", "Running", "Sampling", "Study"),
        "tune": ("Tuned",),
    },
)
