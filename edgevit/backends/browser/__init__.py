"""Browser: a page that runs the model with ONNX Runtime Web and LiteRT.js, run here in Chromium."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.browser.info import INFO
    from edgevit.backends.browser.chromium import find_browser
    from edgevit.backends.browser.files import page_files
    from edgevit.backends.browser.server import PageServer
    from edgevit.backends.browser.session import BrowserSession, open_in_browser

__all__ = ["INFO", "BrowserSession", "PageServer", "find_browser", "open_in_browser", "page_files"]

lazy_face(
    __name__,
    {
        "info": ("INFO",),
        "chromium": ("find_browser",),
        "files": ("page_files",),
        "server": ("PageServer",),
        "session": ("BrowserSession", "open_in_browser"),
    },
)
