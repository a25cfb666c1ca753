"""Which cases of a long list run by default: the others are marked `long`, and run in `make fuzz`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest


def every_second(cases: Iterable[Sequence[Any]], start: int = 0) -> Iterator[Any]:
    for place, case in enumerate(cases, start):
        marks = [pytest.mark.long] if place % 2 else []
        yield pytest.param(*case, marks=marks, id="-".join(map(str, case)))


def in_some_formats(nets: Iterable[str], formats: Sequence[str]) -> Iterator[Any]:
    """Pair each net with all formats, by turns with one half of them in a default run."""
    for turn, net in enumerate(nets):
        yield from every_second([(net, format) for format in formats], turn % len(formats[:2]))
