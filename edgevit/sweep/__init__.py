"""Sweep over models x targets x precisions on several workers, any of which may be killed."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.sweep.cluster import run_jobs
    from edgevit.sweep.job import Result, jobs_of, result_of
    from edgevit.sweep.show import MARKDOWN, panels, table, write_sweep

__all__ = [
    "MARKDOWN",
    "Result",
    "jobs_of",
    "panels",
    "result_of",
    "run_jobs",
    "table",
    "write_sweep",
]

lazy_face(
    __name__,
    {
        "cluster": ("run_jobs",),
        "job": ("Result", "jobs_of", "result_of"),
        "show": ("MARKDOWN", "panels", "table", "write_sweep"),
    },
)
