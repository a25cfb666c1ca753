"""Export options for a browser: what the page begins with."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.browser.runtimes import DEFAULT, RUNTIMES
from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.choice import Choice
from edgevit.support.shape import Text

_THREADS = ("all", "1", "2", "4")


@dataclass(frozen=True)
class PageOptions(BackendOptions):
    runtime: str = DEFAULT
    page_threads: str = "all"  # on the CPU, where the page is isolated


_CHOICES = (
    Choice("runtime", RUNTIMES, DEFAULT, "each has kernels of its own, and no one of them is the fastest on all nets and browsers"),
    Choice("page_threads", _THREADS, "all", "small nets lose more by waiting for threads than they gain"),
)  # fmt: skip
_WORDS = (
    Word("runtime", Text(RUNTIMES), "R", f"Runtime that the page begins with: {', '.join(RUNTIMES)} [default: {DEFAULT}]."),
    Word("page_threads", Text(_THREADS), "N", "Threads of the page on the CPU: all, 1, 2 or 4 [default: all]."),
)  # fmt: skip
OPTIONS = OptionsInfo(
    PageOptions, _WORDS, heading="for browsers", choices=_CHOICES, table="browser"
)
