"""`edgevit serve`: the page of an export for browsers on this machine and on the network.

What a browser measures comes back and is stored with the browser as its device.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit.backends.browser import (
    FACTS,
    INFO,
    RUNTIMES,
    PageServer,
    page_files,
    read_facts,
    runtime_versions,
)
from edgevit.errors import DeviceError, EdgevitError, UsageError
from edgevit.measure.cache import artifact_hash, stored_row
from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Figures, Settings
from edgevit.measure.runner import Progress
from edgevit.measure.store import Store, StoredFigure
from edgevit.measure.timing import Subject, subject_of
from edgevit.support.host import now
from edgevit.support.shape import Flag, Listing, Number, Table, Text, WholeNumber, require_shape
from edgevit.support.strangers_text import parse_json

POSTED = "figures"  # address that the page posts to
_MOST = 1 << 20  # bytes of one post
_TIME = Number(1e-6, 1e7)  # milliseconds
_LINE = Text(most=500)
_FIGURE = Table(
    {
        "runtime": Text(RUNTIMES),
        "threads": WholeNumber(1, 1024),
        "warmup": WholeNumber(0, 1000),
        "times": Listing(_TIME, least=1, most=1000),
    },
    others=Number(),
)
_SHAPE = Table(
    {
        "cores": WholeNumber(1, 1024),
        "isolated": Flag(),
        "gpu": _LINE,
        "agent": _LINE,
        "figures": Listing(_FIGURE, least=1, most=len(RUNTIMES)),
    }
)
OnFigures = Callable[[tuple[StoredFigure, ...]], None]


def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    store: Callable[[], Store] | None = None,
    on_figures: OnFigures = lambda _: None,
    progress: Progress = lambda _: None,
) -> PageServer:
    """Serve the page of an exported folder; `close` ends it.

    Scripts are this edgevit's own: of the folder only the model and its facts are read.
    """
    subject = page_of(folder)
    files: dict[str, Any] = dict(page_files(subject.path, progress))
    files[FACTS] = json.dumps(read_facts(subject.path) | {"figures": POSTED}).encode()
    artifact = artifact_hash(subject)

    def post(path: str, body: bytes, agent: str) -> bytes:
        if path != POSTED:
            raise ValueError("nothing is taken here")
        rows = _rows(subject, artifact, parse_json(body))
        if store is not None:
            try:
                with store() as opened:
                    opened.add(rows)
            except EdgevitError as error:
                raise ValueError(error.message) from error
        on_figures(rows)
        return b""

    try:
        return PageServer(files, host=host, port=port, post=post, most=_MOST)
    except (OSError, OverflowError) as error:
        raise DeviceError(
            "the page cannot be served there",
            where=f"{host}:{port}",
            why=getattr(error, "strerror", "") or str(error),
            hint="another --port, or --host 127.0.0.1",
        ) from error


def page_of(folder: str | Path) -> Subject:
    """Return what an export for browsers holds; refuse another."""
    subject = subject_of(folder, here=False)
    if subject.format != INFO.name:
        raise UsageError(
            f"a {subject.format} artifact is no page",
            where=str(folder),
            hint="edgevit export MODEL --target browser",
        )
    return subject


def _rows(subject: Subject, artifact: str, posted: Any) -> tuple[StoredFigure, ...]:
    """Return rows of the store, one a runtime. What is not of the shape raises `ValueError`."""
    require_shape(posted, _SHAPE)
    device = DeviceState(
        cpu=posted["gpu"] or "unknown",
        cores=posted["cores"],
        memory_mb=None,
        os=posted["agent"],
        python="",
        governor=None,
        load=None,
        address="browser, as it says itself",
        versions=runtime_versions(),
    )
    session = uuid.uuid4().hex
    return tuple(
        _row(subject, artifact, device, session, place, one)
        for place, one in enumerate(posted["figures"])
    )


def _row(
    subject: Subject, artifact: str, device: DeviceState, session: str, place: int, one: Any
) -> StoredFigure:
    times = tuple(ms / 1e3 for ms in one["times"])
    settings = Settings(threads=one["threads"], rounds=len(times), warmup=one["warmup"])
    facts = {
        "artifact": artifact,
        "device": device.identity(subject.format),
        "settings": {name: one[name] for name in ("runtime", "threads", "warmup")},
        "posted": True,  # never taken for a figure that a runner here measured
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    note = f"{one['runtime']}, posted by the browser"
    figures = Figures(subject, "measured", "seconds", times, notes=(note,), when=now())
    return stored_row(session, place, key, figures, settings, device)
