"""Kernels that this machine does not have: of CUDA, of Triton, of an extension that is not installed.

A model that calls one fails in its first run, wherever its author's machine ran it. The module that calls it can be
given a forward of PyTorch's ops: `--replace blocks.0=fast.py:forward`.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from torch import nn

from edgevit.frontend.wrappers import unwrapped

_NO_KERNEL = re.compile(r"Could not run '([\w.]+::[\w.]+)' with arguments from the '(\w+)' backend")
_NO_OP = re.compile(r"'_OpNamespace' '(\w+)' object has no attribute '(\w+)'")
_NO_DEVICE = re.compile(
    r"not compiled with \w+ enabled|no NVIDIA driver|No \w+ GPUs are available|CUDA_HOME"
)
_NOTHING = re.compile(r"'NoneType' object (is not callable|has no attribute '\w+')")
_TRITON = "triton"


def missing_kernel(error: BaseException) -> str:
    """Return which kernel is missing, or an empty text where the error has another reason."""
    text = str(error)
    if name := _triton_kernel(error):
        return f"`{name}` is a Triton kernel, which does not run here: {_first_line(text)}"
    if match := _NO_KERNEL.search(text):
        return f"`{match[1]}` has no kernel for {match[2]}"
    if match := _NO_OP.search(text):
        return f"no extension that is loaded has the op `{match[1]}::{match[2]}`"
    if _NO_DEVICE.search(text):
        return _first_line(text)
    if isinstance(error, TypeError | AttributeError) and (match := _NOTHING.search(text)):
        return f"{match[0]}: what it calls is not installed, or was not built"
    return ""


def traced_kernel(error: BaseException) -> str:
    """Return the Triton kernel that a capture ran into, or an empty text."""
    name = _triton_kernel(error)
    return f"`{name}` is a Triton kernel, which no graph holds" if name else ""


def replacement_hint(module: str) -> str:
    """Return the option that puts a function in the place of the module's forward."""
    return f"--replace {module or '.'}=fast.py:forward, a forward of PyTorch's ops that is compared with the module's own where that runs"


def module_of(error: BaseException, model: nn.Module) -> str:
    """Return the path of the deepest module of the model whose forward led to the error."""
    paths = {id(module): path for path, module in unwrapped(model).named_modules()}
    owners = (id(frame.f_locals.get("self")) for frame in reversed([*_frames(error)]))
    return next((paths[owner] for owner in owners if owner in paths), "")


def is_of_triton(path: str) -> bool:
    """Check whether a file is one of Triton's, whose lines say nothing about the model."""
    library = getattr(sys.modules.get(_TRITON), "__file__", None)
    return bool(library) and path.startswith(f"{Path(str(library)).parent}{os.sep}")


def _triton_kernel(error: BaseException) -> str:
    for frame in _frames(error):
        function = getattr(frame.f_locals.get("self"), "fn", None)
        name = getattr(function, "__name__", "")
        if name and is_of_triton(frame.f_code.co_filename):
            return name
    return ""


def _frames(error: BaseException) -> Iterator[FrameType]:
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")
