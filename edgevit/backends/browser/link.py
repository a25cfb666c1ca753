"""Requests to a page in the browser, and its answers.

A request goes out as a server-sent event. Its tensors, and those of the answer, are one message:
the length of a JSON header in four bytes, the header, the tensors' bytes.
"""

from __future__ import annotations

import json
import queue
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgevit.errors import BackendRuntimeError, PackageError, report_it

_BEAT = 0.5  # seconds between signs of life on a quiet stream
Ended = Callable[[], str]  # how the browser ended, or nothing


@dataclass
class Answer:
    facts: dict[str, Any]
    arrays: list[np.ndarray] = field(default_factory=list)


class Link:
    """Line to the page that is open now. One request is under way at a time."""

    def __init__(self, ended: Ended = lambda: "") -> None:
        self.ended = ended
        self._requests: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self._bodies: dict[str, bytes] = {}
        self._number = 0
        self._pages = 0  # that have called so far
        self._gone = False  # the newest of them has left
        self._changed = threading.Condition()

    # The server's side, in its threads.

    def stream(self, write: Callable[[bytes], None]) -> None:
        """Serve the stream of requests of one page until it leaves."""
        with self._changed:
            self._pages += 1
            self._gone = False
            mine = self._pages
            self._requests = requests = queue.Queue()
            self._changed.notify_all()
        try:
            while mine == self._pages:
                try:
                    write(b"data: " + requests.get(timeout=_BEAT) + b"\n\n")
                except queue.Empty:
                    write(b":\n\n")
        except OSError:
            with self._changed:
                self._gone = self._gone or mine == self._pages

    def post(self, path: str, body: bytes, agent: str) -> bytes:
        kind, _, number = path.partition("/")
        if kind == "inputs" and number in self._bodies:
            return self._bodies[number]
        if kind == "answer" and number.isdecimal():
            self._answers.put((int(number), body))
            return b""
        raise ValueError("no such request")

    # The session's side.

    def wait_for_page(self, seconds: float, after: int = 0) -> None:
        """Wait until a page has called that came after the first `after` pages."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._pages <= after:
                self._changed.wait(_BEAT)
                if why := self.ended():
                    raise _not_shown("the browser ended before it showed the page", why)
                if time.monotonic() > end:
                    why = f"nothing in {seconds:.0f} s"
                    raise _not_shown("the browser does not show the page", why)

    def reload(self, seconds: float) -> None:
        pages = self._pages
        self._send({"verb": "reload"})
        self.wait_for_page(seconds, after=pages)

    def ask(
        self, verb: str, seconds: float, arrays: Sequence[np.ndarray] = (), **facts: Any
    ) -> Answer:
        self._number += 1
        number = self._number
        self._bodies = {str(number): packed({}, arrays)}
        self._send({"verb": verb, "number": number, **facts})
        answer = unpacked(self._body(verb, number, seconds))
        if error := answer.facts.get("error"):
            raise _refused(verb, str(error)[:2000])
        return answer

    def _send(self, request: dict[str, Any]) -> None:
        self._requests.put(json.dumps(request).encode())

    def _body(self, verb: str, number: int, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        while True:
            try:
                came, body = self._answers.get(timeout=_BEAT)
            except queue.Empty:
                if why := self.ended():
                    raise _died(f"the browser died while it was to {verb} the model", why) from None
                if self._gone:
                    why = "its tab is gone: it crashed, or ran out of memory"
                    raise _died(f"the page died while it was to {verb} the model", why) from None
                if time.monotonic() > end:
                    why = f"no answer in {seconds:.0f} s"
                    raise _died(f"the page hangs while it is to {verb} the model", why) from None
                continue
            if came == number:
                return body


def packed(facts: dict[str, Any], arrays: Sequence[np.ndarray]) -> bytes:
    tensors = [{"dtype": str(a.dtype), "shape": list(a.shape), "bytes": a.nbytes} for a in arrays]
    header = json.dumps({**facts, "tensors": tensors}).encode()
    return b"".join(
        [
            struct.pack("<I", len(header)),
            header,
            *(np.ascontiguousarray(a).tobytes() for a in arrays),
        ]
    )


def unpacked(message: bytes) -> Answer:
    """Read a message of the page. What is not one raises `PackageError`."""
    try:
        (length,) = struct.unpack_from("<I", message)
        facts = json.loads(message[4 : 4 + length])
        place, arrays = 4 + length, []
        for entry in facts.pop("tensors", []):
            part = message[place : place + int(entry["bytes"])]
            arrays.append(np.frombuffer(part, entry["dtype"]).reshape(entry["shape"]))
            place += len(part)
    except (struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PackageError(
            "the page gives an answer that is none",
            why=f"{type(error).__name__}: {error}"[:300],
            hint=f"the model's file may be damaged: export it again; if it stays, {report_it()}",
        ) from error
    return Answer(facts, arrays)


def _refused(verb: str, why: str) -> PackageError:
    return PackageError(
        f"the runtime in the browser does not {verb} the model",
        why=why,
        hint="the file is damaged or another edgevit's: export it again",
    )


def _not_shown(message: str, why: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        message,
        why=why,
        hint="another browser by EDGEVIT_BROWSER; or EDGEVIT_BROWSER_FLAGS=--no-sandbox, where the "
        "system forbids its sandbox",
    )


def _died(message: str, why: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        message,
        why=why,
        hint="the file may be damaged: export it again; or a smaller --input-size, for a browser has "
        "4 GB at most; a 32-bit one has less",
    )
