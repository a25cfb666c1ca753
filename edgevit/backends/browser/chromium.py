"""Chromium without a window, in a profile of its own, for as long as a page is needed."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from edgevit.backends.browser.packages import runtime_versions
from edgevit.errors import MissingToolError
from edgevit.support.descendants import descendants, kill_all

BROWSER, MORE_FLAGS = "EDGEVIT_BROWSER", "EDGEVIT_BROWSER_FLAGS"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_FLAGS = (
    "--headless",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-quic",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--mute-audio",
    "--remote-debugging-pipe",
    "--password-store=basic",
    "--use-mock-keychain",
    # Everything but this machine is unreachable: the page has to do without the network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-server=direct://",
)
# With --remote-debugging-pipe, descriptors 3 and 4 are a line on which nothing is ever said: the
# browser ends when this process, however it ends, lets go of it.
_LAUNCH = """
import os, sys
ends = [int(word) for word in sys.argv[1:3]]
while min(ends) <= 4:
    ends = [os.dup(end) for end in ends]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> Path | None:
    if own := os.environ.get(BROWSER):
        return Path(own) if shutil.which(own) else None
    paths = (shutil.which(name) for name in _NAMES)
    first = next((Path(path) for path in paths if path), None)
    return first or (_MAC if sys.platform == "darwin" and _MAC.exists() else None)


def require_browser() -> Path:
    path = find_browser()
    if path is None:
        own = os.environ.get(BROWSER)
        raise MissingToolError(
            "no browser is installed here",
            why=f"{BROWSER} is {own}, which is no program"
            if own
            else f"none of {', '.join(_NAMES)} is on the PATH",
            hint=f"apt-get install chromium, or set {BROWSER} to a Chromium or Chrome",
        )
    return path


@functools.cache
def versions() -> dict[str, str]:
    """Return the version of the browser here and of the runtimes in the page."""
    words = [str(require_browser()), "--version"]
    said = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=60)
    return {"browser": said.stdout.strip()[:200], **runtime_versions()}


class Chromium:
    """Process of a browser that shows one page."""

    def __init__(self, address: str) -> None:
        path = require_browser()
        self._room = tempfile.TemporaryDirectory(
            prefix="edgevit-browser-", ignore_cleanup_errors=True
        )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the browser
        words = [str(path), *_FLAGS, f"--user-data-dir={self._room.name}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            words.append("--no-sandbox")  # its sandbox refuses root
        words += [*shlex.split(os.environ.get(MORE_FLAGS, "")), address]
        their_in, self._lifeline = os.pipe()
        self._unread, their_out = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-ISc", _LAUNCH, str(their_in), str(their_out), *words],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(their_in, their_out),
            )
        finally:
            os.close(their_in)
            os.close(their_out)

    @property
    def ended(self) -> str:
        """Return how the process ended, or nothing while it runs."""
        code = self._process.poll()
        if code is None:
            return ""
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return "\n".join([f"the browser ended with {name}", *self.last_words()])

    def last_words(self) -> list[str]:
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").splitlines()
        return [line.strip()[:300] for line in said if ":FATAL:" in line or ":ERROR:" in line][-3:]

    def close(self) -> None:
        family = descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        kill_all(family)
        os.close(self._lifeline)
        os.close(self._unread)
        self._log.close()
        self._room.cleanup()
