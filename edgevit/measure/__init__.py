"""Measurement on any device: runners, the state of the device, and the store of all figures.

runner = open_runner("local")                                 measure/runner.py
session = runner.measure([Path("out/a"), Path("out/b")], Settings(rounds=10))
session.figures[1].latency, .ratio, .ratio_spread             measure/figures.py
with open_store() as store:                                   measure/store.py
    session = measured(paths, runner, settings, store)        measure/cache.py: the store first
"""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.measure.api import profile
    from edgevit.measure.cache import measured
    from edgevit.measure.figures import Figures, MeasuredSession, Settings
    from edgevit.measure.firmware import run_firmware, simulate_firmware
    from edgevit.measure.history import compared, compared_text, history_text
    from edgevit.measure.latency_table import latency_dict
    from edgevit.measure.latest import latest_latency
    from edgevit.measure.local import LocalRunner
    from edgevit.measure.refresh_report import Report, report
    from edgevit.measure.runner import Progress, Runner, open_runner, plain
    from edgevit.measure.served import serve
    from edgevit.measure.show import session_dict, session_text
    from edgevit.measure.store import Store, StoredFigure, open_store
    from edgevit.measure.timing import eager_subject, measure, profile_here, subject_of

__all__ = [
    "Figures",
    "LocalRunner",
    "MeasuredSession",
    "Progress",
    "Report",
    "Runner",
    "Settings",
    "Store",
    "StoredFigure",
    "compared",
    "compared_text",
    "eager_subject",
    "history_text",
    "latency_dict",
    "latest_latency",
    "measure",
    "measured",
    "open_runner",
    "open_store",
    "plain",
    "profile",
    "profile_here",
    "report",
    "run_firmware",
    "serve",
    "session_dict",
    "session_text",
    "simulate_firmware",
    "subject_of",
]

lazy_face(
    __name__,
    {
        "api": ("profile",),
        "cache": ("measured",),
        "figures": ("Figures", "MeasuredSession", "Settings"),
        "firmware": ("run_firmware", "simulate_firmware"),
        "history": ("compared", "compared_text", "history_text"),
        "latency_table": ("latency_dict",),
        "latest": ("latest_latency",),
        "local": ("LocalRunner",),
        "refresh_report": ("Report", "report"),
        "runner": ("Progress", "Runner", "open_runner", "plain"),
        "served": ("serve",),
        "show": ("session_dict", "session_text"),
        "store": ("Store", "StoredFigure", "open_store"),
        "timing": ("eager_subject", "measure", "profile_here", "subject_of"),
    },
)
