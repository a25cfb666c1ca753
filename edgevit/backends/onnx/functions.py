"""onnxscript's list of ONNX functions for torch's operators, read once a process.

torch reads it at every export, and parses the source of some hundred functions: half the export of
a small net.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch.onnx._internal import _lazy_import

_SOURCE = "onnxscript_apis"


@contextmanager
def functions_read_once() -> Iterator[None]:
    source = getattr(_lazy_import, _SOURCE, None)  # not in every release of torch
    if source is None:
        yield
        return
    with patch.object(source, "get_torchlib_ops", _once(source.get_torchlib_ops)):
        yield


@functools.cache
def _once(read: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    return functools.cache(read)
