"""Core ML's protobuf messages; no other module of the check needs coremltools."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from edgevit.backends.coreml.tool import coremltools
from edgevit.errors import PackageError
from edgevit.support.strangers_text import MalformedTextError, read_bytes

# Protobuf builds its classes at run time, so a type checker sees none of their fields. Messages stay
# within this package's readers; what leaves them is program.py.
Message: TypeAlias = Any

_MOST = (2 << 30) - 1  # bytes of a protobuf message
HINT = "the package was damaged or only partly copied; export it again"


def parse_model(path: Path) -> Message:
    model: Message = coremltools().proto.Model_pb2.Model()
    from google.protobuf.message import DecodeError

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
    return {number: name for name, number in coremltools().proto.MIL_pb2.DataType.items()}
