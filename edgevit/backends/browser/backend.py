"""Browser backend for the pipeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.browser.chromium import find_browser
from edgevit.backends.browser.lower import lower
from edgevit.backends.browser.rules import RULES
from edgevit.backends.browser.runtimes import CPU, GPU
from edgevit.backends.browser.session import Browser
from edgevit.backends.browser.verdicts import check_runtime, unchecked
from edgevit.graph.parity import Parity
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form


@dataclass(frozen=True)
class InBrowser:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = ()

    def lower(self, request: Lowering) -> Artifact:
        return lower(request)

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        """Run the page in a browser with each runtime, compare it and time it.

        What was measured is added to the details of an export.
        """
        if find_browser() is None:
            return tuple(unchecked(runtime, artifact.precision) for runtime in CPU)
        parity: list[Parity] = []
        measured: list[dict[str, object]] = []
        with Browser(artifact.path) as browser:
            offered = browser.offered
            for runtime in (*CPU, *(GPU if offered.gpu else ())):
                verdicts, figures = check_runtime(browser, runtime, artifact, expected)
                parity += verdicts
                measured += figures
        artifact.details["browser"] = {**asdict(offered), "kind": "measured", "runtimes": measured}
        return tuple(parity)


BACKEND = InBrowser()
