"""Verdict and latency of one runtime in the browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.latency import measured, told
from edgevit.backends.browser.runtimes import CPU
from edgevit.backends.browser.session import Browser, BrowserSession
from edgevit.backends.on_host import LIMITS, check_run, fitted
from edgevit.errors import PackageError
from edgevit.graph.parity import RUNTIME, UNKNOWN, Limit, Parity
from edgevit.graph.program import Inputs

_GPU = Limit(max_rel_l2=1e-3)  # its exponentials and divisions are of lower precision
NO_BROWSER = "not run: no browser here; apt-get install chromium"


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
        arrays = arrays_of(session, inputs, artifact)
        return tuple(torch.from_numpy(np.array(a)) for a in session.run(arrays))

    first, *others = check_run(run, artifact, expected, f"{RUNTIME} {runtime}", limit)
    figures = measured(session, runtime, arrays_of(session, expected.inputs, artifact))
    notes = (told(figures, browser.offered.agent), *_missing(browser, runtime))
    parity = (
        replace(first, notes=(*first.notes, *notes)),
        *(replace(one, stage=f"{runtime}, {one.stage}") for one in others),
    )
    return parity, [figures]


def arrays_of(session: BrowserSession, inputs: Inputs, artifact: Artifact) -> list[np.ndarray]:
    return fitted(session.inputs, [x.numpy() for x in inputs], str(artifact.path))


def _missing(browser: Browser, runtime: str) -> tuple[str, ...]:
    """Tell once what this browser does not offer."""
    offered, notes = browser.offered, list[str]()
    if runtime == CPU[-1] and not offered.isolated:
        notes.append("one thread: the browser does not isolate the page")
    if runtime == CPU[-1] and not offered.gpu:
        notes.append("WebGPU not run: this browser offers none")
    return tuple(notes)


def unchecked(runtime: str, precision: str) -> Parity:
    return Parity(f"{RUNTIME} {runtime}", precision, UNKNOWN, LIMITS[precision], (NO_BROWSER,))
