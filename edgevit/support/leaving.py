"""End of a process without the interpreter's teardown, which takes a second once torch and a converter are loaded."""

import atexit
import contextlib
import os
import sys


class Leaving:
    """Exit handler that ends the process with `code`, behind all handlers that are registered later.

    Without a code, as after an exception that nobody caught, or with a stream whose reader is gone, Python ends it.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None:
            return
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)
