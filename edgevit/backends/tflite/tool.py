"""Import of litert-torch, with its output silenced; no other module imports it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import IO
from unittest import mock

from edgevit.backends.session import load_library
from edgevit.support.silence import quiet as silence

_TOOLS = ("litert-torch", "litert-converter", "ai-edge-litert")
_SETTINGS = {"LITERT_TORCH_SHOW_PROGRESS": "n"}  # its progress goes to stdout


def litert(module: str) -> ModuleType:
    """Import a module of litert-torch: `litert("fx_infra")` is `litert_torch.fx_infra`."""
    with quiet():
        load_library("litert_torch", "tflite")
        return import_module(f"litert_torch.{module}")


def versions() -> dict[str, str]:
    return {tool: version(tool) for tool in _TOOLS}


@contextmanager
def quiet() -> Iterator[IO[bytes]]:
    """Silence litert-torch and yield the file that collects the output of native code.

    Among much else the file holds diagnostics.
    """
    root = logging.getLogger()  # litert-torch logs there
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with mock.patch.dict(os.environ, _SETTINGS), silence("litert_torch"), _native() as said:
            yield said
    finally:
        root.setLevel(level)


@contextmanager
def _native() -> Iterator[IO[bytes]]:
    """Redirect file descriptor 2, which native code writes to past Python, to a temporary file."""
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
