"""Core ML's protobuf messages; no other module of the check imports coremltools."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from edgevit.errors import MissingToolError, PackageError
from edgevit.support.strangers_text import MalformedTextError, read_bytes

# Protobuf builds its classes at run time, so a type checker sees none of their fields. Messages stay
# within this package's readers; what leaves them is program.py.
Message: TypeAlias = Any

_MOST = (2 << 30) - 1  # bytes of a protobuf message
HINT = "the package was damaged or only partly copied; export it again"


def parse_model(path: Path) -> Message:
    try:
        from coremltools.proto import Model_pb2
    except ImportError as error:
        hint = "pip install coremltools"
        raise MissingToolError("coremltools is not installed", why=str(error), hint=hint) from error
    from google.protobuf.message import DecodeError

    model: Message = vars(Model_pb2)["Model"]()
    try:
        model.ParseFromString(read_bytes(path, _MOST))
    except (OSError, MalformedTextError, DecodeError) as error:
        why = str(error)
        raise PackageError(
            "the model file cannot be read", where=str(path), why=why, hint=HINT
        ) from error
    return model


@cache
def element_names() -> dict[int, str]:
    """Return MIL's element type names by number."""
    from coremltools.proto import MIL_pb2

    return {number: name for name, number in vars(MIL_pb2)["DataType"].items()}
