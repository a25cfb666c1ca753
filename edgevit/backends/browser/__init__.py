"""Browser: a page that runs the model with ONNX Runtime Web and LiteRT.js, run here in Chromium."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.browser.chromium import versions
    from edgevit.backends.browser.facts import read_facts
    from edgevit.backends.browser.files import FACTS, page_files
    from edgevit.backends.browser.info import INFO
    from edgevit.backends.browser.packages import runtime_versions
    from edgevit.backends.browser.runtimes import RUNTIMES
    from edgevit.backends.browser.server import PageServer
    from edgevit.backends.browser.session import BrowserSession, open_in_browser

__all__ = [
    "FACTS",
    "INFO",
    "RUNTIMES",
    "BrowserSession",
    "PageServer",
    "open_in_browser",
    "page_files",
    "read_facts",
    "runtime_versions",
    "versions",
]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
        "chromium": ("versions",),
        "facts": ("read_facts",),
        "files": ("FACTS", "page_files"),
        "packages": ("runtime_versions",),
        "runtimes": ("RUNTIMES",),
        "server": ("PageServer",),
        "session": ("BrowserSession", "open_in_browser"),
    },
)
