"""Verdict and latency of one runtime in the browser."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.session import Browser, BrowserSession
from edgevit.backends.on_host import LIMITS, check_run, fitted
from edgevit.errors import PackageError
from edgevit.graph.parity import UNKNOWN, Limit, Parity
from edgevit.graph.program import Inputs

_GPU = Limit(max_rel_l2=1e-3)  # its exponentials and divisions are of lower precision
WARMUP, _RUNS, _SECONDS = 3, 20, 2.0
NO_BROWSER = "not run: no browser here; apt-get install chromium, then edgevit verify"


def check_runtime(
    browser: Browser, runtime: str, artifact: Artifact, expected: Expected
) -> tuple[tuple[Parity, ...], list[dict[str, object]]]:
    """Compare one runtime with the model and time it. A GPU that does not take the model is a note."""
    limit = _GPU if runtime.endswith("gpu") else LIMITS[artifact.precision]
    try:
        session = browser.open(runtime, threads=0)
    except PackageError as error:
        if not runtime.endswith("gpu"):
            raise
        return (), [{"runtime": runtime, "refused": error.why}]

    def run(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        arrays = fitted(session.inputs, [x.numpy() for x in inputs], str(artifact.path))
        return tuple(torch.from_numpy(np.array(a)) for a in session.run(arrays))

    parity = check_run(run, artifact, expected, runtime, limit)
    return parity, [_figures(session, runtime, expected.inputs, str(artifact.path))]


def unchecked(runtime: str, precision: str) -> Parity:
    return Parity(runtime, precision, UNKNOWN, LIMITS[precision], (NO_BROWSER,))


def _figures(
    session: BrowserSession, runtime: str, inputs: Inputs, path: str
) -> dict[str, object]:
    arrays = fitted(session.inputs, [x.numpy() for x in inputs], path)
    session.seconds(arrays, WARMUP)
    first = session.seconds(arrays, 1)[0]
    runs = max(3, min(_RUNS, round(_SECONDS / max(first, 1e-4))))
    return {
        "runtime": runtime,
        "threads": session.threads,
        "open_seconds": round(session.open_seconds, 3),
        "warmup": WARMUP + 1,
        "runs": runs,
        **_quartiles(session.seconds(arrays, runs)),
    }


def _quartiles(seconds: Sequence[float]) -> dict[str, object]:
    low, median, high = np.percentile(seconds, [25, 50, 75])
    named = {"median_ms": median, "low_ms": low, "high_ms": high}
    return {name: round(float(s) * 1e3, 4) for name, s in named.items()}
