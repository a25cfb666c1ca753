"""Latency of a runtime in the browser at an export, and the line that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit.backends.session import Arrays

if TYPE_CHECKING:
    from edgevit.backends.browser.session import BrowserSession

_WARMUP, _RUNS, _SECONDS = 3, 20, 2.0


def measured(session: BrowserSession, runtime: str, arrays: Arrays) -> dict[str, object]:
    session.seconds(arrays, _WARMUP)
    first = session.seconds(arrays, 1)[0]
    runs = max(3, min(_RUNS, round(_SECONDS / max(first, 1e-4))))
    return {
        "runtime": runtime,
        "threads": session.threads,
        "open_seconds": round(session.open_seconds, 3),
        "warmup": _WARMUP + 1,
        "runs": runs,
        **_quartiles(session.seconds(arrays, runs)),
    }


def told(figures: Mapping[str, Any], agent: str) -> str:
    """Return what was measured, in a line."""
    name = agent.split(" Safari")[0].rpartition(" ")[2]
    return (
        f"{figures['median_ms']:.3g} ms ({figures['low_ms']:.3g} to {figures['high_ms']:.3g}), "
        f"{figures['threads']} threads, measured here in {name}"
    )


def _quartiles(seconds: Sequence[float]) -> dict[str, object]:
    low, median, high = np.percentile(seconds, [25, 50, 75])
    named = {"median_ms": median, "low_ms": low, "high_ms": high}
    return {name: round(float(s) * 1e3, 4) for name, s in named.items()}
