"""Installed TFLite interpreter, and a file opened in it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from edgevit.errors import MissingToolError, PackageError

_INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")  # the successor first
_MAGIC = b"TFL3"  # bytes 4 to 8 of a file: the identifier of its flatbuffer schema


def interpreter_module() -> ModuleType:
    """Import the installed interpreter.

    tflite-runtime reads the same files, on devices where its successor is not installed.
    """
    for name in _INTERPRETERS:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise  # it is there, and something that it needs is not
    raise MissingToolError(
        "no TFLite interpreter is installed",
        why="neither ai-edge-litert nor tflite-runtime can be imported",
        hint="pip install 'edgevit[tflite]', or on a device `pip install ai-edge-litert`",
    )


def open_interpreter(path: Path, threads: int, **options: Any) -> Any:
    """Open the file, allocate its tensors and apply its delegate."""
    module = interpreter_module()
    require_tflite(path)
    try:
        interpreter = module.Interpreter(
            model_path=str(path), num_threads=max(threads, 1), **options
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise PackageError(
            "the TFLite interpreter does not take this file",
            where=str(path),
            why=str(error).strip()[:400],
            hint="the file is damaged, or made for a newer runtime: export it again",
        ) from error
    return interpreter


def require_tflite(path: Path) -> None:
    """Raise `PackageError` if the file is not a TFLite file.

    The interpreter trusts what it maps into memory, so a foreign file must not get that far.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise PackageError(
            "the TFLite file cannot be read", where=str(path), why=str(error)
        ) from error
    if head[4:] != _MAGIC:
        raise PackageError(
            f"{path.name} is not a TFLite file",
            where=str(path),
            why=f"bytes 4 to 8 are {head[4:]!r}, not {_MAGIC!r}" if head else "it is empty",
            hint="export it again",
        )
