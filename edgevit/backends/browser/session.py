"""Session of an exported page in a browser of this machine."""

from __future__ import annotations

import secrets
import time
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.backends.browser.chromium import Chromium
from edgevit.backends.browser.facts import read_facts
from edgevit.backends.browser.files import page_files
from edgevit.backends.browser.link import Link
from edgevit.backends.browser.server import PageServer
from edgevit.backends.session import Arrays, OpTime, TensorSpec

_START, LIMIT = 60.0, 300.0  # seconds: until the page is there, for one request


@dataclass(frozen=True)
class Offered:
    """What the browser says of itself."""

    agent: str
    cores: int
    isolated: bool  # threads of WebAssembly may share memory
    gpu: str  # of WebGPU; empty: it offers none


class Browser:
    """A browser that shows one page; it opens one runtime at a time."""

    def __init__(self, artifact: Path, limit: float = LIMIT) -> None:
        self.facts = read_facts(artifact)
        self._limit, self._used = limit, False
        with ExitStack() as stack:
            self.link = Link()
            token = secrets.token_urlsafe(18)
            server = PageServer(
                page_files(artifact),
                token=token,
                post=self.link.post,
                streams={"requests": self.link.stream},
            )
            stack.callback(server.close)
            self._chromium = Chromium(f"{server.address}index.html#check")
            stack.callback(self._chromium.close)
            self.link.ended = lambda: self._chromium.ended
            self.link.wait_for_page(min(limit, _START))
            self.offered = Offered(**self.link.ask("look", min(limit, _START)).facts)
            self._stack = stack.pop_all()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, runtime: str, threads: int) -> BrowserSession:
        """Open a runtime in a fresh page: it takes its number of threads once."""
        if self._used:
            self.link.reload(min(self._limit, _START))
        self._used = True
        started = time.perf_counter()
        said = self.link.ask("open", self._limit, runtime=runtime, threads=threads).facts
        return BrowserSession(self, runtime, said, self._limit, time.perf_counter() - started)

    def close(self) -> None:
        self._stack.close()


class BrowserSession:
    """One runtime with the model in it. Times are the page's own."""

    def __init__(
        self, browser: Browser, runtime: str, said: dict[str, Any], limit: float, opened: float
    ) -> None:
        self.browser, self.runtime = browser, runtime
        self._limit, self.open_seconds = limit, opened
        self.threads = int(said["threads"])
        self.inputs, self.outputs = (
            tuple(TensorSpec(one["name"], tuple(one["shape"]), one["dtype"]) for one in said[kind])
            for kind in ("inputs", "outputs")
        )

    def run(self, arrays: Arrays) -> list[Any]:
        return self.browser.link.ask("run", self._limit, [np.asarray(a) for a in arrays]).arrays

    def seconds(self, arrays: Arrays, repeats: int) -> list[float]:
        """Return the seconds of each run by the page's clock, without the way there and back."""
        inputs = [np.asarray(a) for a in arrays]
        answer = self.browser.link.ask("time", self._limit, inputs, repeats=repeats)
        return [float(ms) / 1e3 for ms in answer.facts["milliseconds"]]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        """Return nothing: the runtimes of the page do not tell the times of their ops."""
        return ()


def open_session(path: Path, threads: int) -> BrowserSession:
    return open_in_browser(path, None, threads)


def open_in_browser(
    path: Path, runtime: str | None, threads: int, limit: float = LIMIT
) -> BrowserSession:
    """Open a session that takes its browser along when it ends.

    Without a runtime or threads, they are those that the page begins with.
    """
    browser = Browser(path, limit)
    try:
        session = browser.open(
            runtime or browser.facts["runtime"], threads or browser.facts["threads"]
        )
    except BaseException:
        browser.close()
        raise
    weakref.finalize(session, browser.close)
    return session
