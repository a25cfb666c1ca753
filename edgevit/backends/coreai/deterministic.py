"""Deterministic assets: the same program gives the same bytes.

The package draws letters at random for the names of private functions, and calls a constant after a hash that differs
from process to process.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from unittest.mock import patch

from edgevit.backends.coreai.bytecode import with_strings
from edgevit.backends.coreai.tool import module

PROGRAM = "main.mlirb"
_HASH = "main.hash"
_RESOURCE = re.compile(rb"resource_\d+")


@contextlib.contextmanager
def counted_names() -> Iterator[None]:
    """Name private functions by numbers instead, in the order that they are written in."""
    numbers = count()
    builder = module("coreai.authoring.graph_builder")
    with patch.object(builder, "_randomize_fn_name", lambda name: f"{name}_{next(numbers)}"):
        yield


def make_deterministic(asset: Path) -> None:
    """Name the constants by numbers, in the order that the file has them in."""
    numbers = count()

    def renamed(text: bytes) -> bytes:
        return b"constant_%d" % next(numbers) if _RESOURCE.fullmatch(text) else text

    program = with_strings((asset / PROGRAM).read_bytes(), renamed)
    (asset / PROGRAM).write_bytes(program)
    (asset / _HASH).write_bytes(hashlib.sha256(program).digest())
