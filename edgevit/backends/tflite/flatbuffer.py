"""A TFLite file as objects, to read and to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library

_MARK = b"TFL3"
_FIRST_BYTES = 1 << 20  # of what is written, which grows by itself


def read_model(path: Path) -> Any:
    return schema().ModelT.InitFromPackedBuf(path.read_bytes())


def write_model(model: Any, path: Path) -> None:
    builder = load_library("flatbuffers", "tflite").Builder(_FIRST_BYTES)
    builder.Finish(model.Pack(builder), _MARK)
    path.write_bytes(builder.Output())


def schema() -> Any:
    return load_library("ai_edge_litert.schema_py_generated", "tflite")


def names_of(tensor: Any) -> set[str]:
    """Return the names of the program's nodes that a tensor is made of."""
    return set(bytes(tensor.name).decode(errors="replace").split(";"))


def positions_of(model: Any, name: str) -> frozenset[int]:
    """Return the places of a builtin op in the file's list of ops."""
    builtin = getattr(schema().BuiltinOperator, name)
    return frozenset(k for k, code in enumerate(model.operatorCodes) if code.builtinCode == builtin)


def op_count(path: Path) -> int:
    """Return the number of ops of a file."""
    return sum(len(graph.operators) for graph in read_model(path).subgraphs)
