"""Command streams in a file that Vela wrote, checked for damage before a board runs them.

A stream is the first input of a custom op. Its header says the length, and the NPU it was compiled for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from edgevit.backends.tflite import names_of, read_model, require_tflite, schema
from edgevit.errors import PackageError

CUSTOM_OP = b"ethos-u"
ENDING = "_vela.tflite"
_MARK = b"COP1"
_CONFIG, _STREAM, _NOTHING = 1, 2, 5  # words of the driver
_FAMILIES = {0: "U55", 1: "U65", 2: "U85"}  # field `product` of the register CONFIG


@dataclass(frozen=True)
class LeftOp:
    """Op that Vela left to the CPU."""

    op: str
    outputs: frozenset[str]  # names
    bytes: int


@dataclass(frozen=True)
class CompiledFile:
    streams: tuple[str, ...]  # NPU that each was compiled for: "Ethos-U55-256"
    rest: tuple[LeftOp, ...]
    inputs: tuple[tuple[int, ...], ...]  # shapes
    outputs: tuple[tuple[int, ...], ...]


def golden_of(path: Path) -> Path:
    """Return the model in plain TFLite, beside the file that the board runs."""
    return path.with_name(path.name.removesuffix(ENDING) + ".tflite")


def read_compiled(path: Path) -> CompiledFile:
    """Read a file of Vela's. Raises `PackageError` where it is damaged."""
    require_tflite(path)
    try:
        model = read_model(path)
        graph = model.subgraphs[0]
        custom = {k for k, code in enumerate(model.operatorCodes) if code.customCode == CUSTOM_OP}
        streams = tuple(
            _npu(_buffer(model, graph, op.inputs[0]), path)
            for op in graph.operators
            if op.opcodeIndex in custom
        )
        rest = tuple(_rest(model, graph, custom))
        inputs, outputs = (
            tuple(tuple(map(int, graph.tensors[k].shape)) for k in ports)
            for ports in (graph.inputs, graph.outputs)
        )
    except (IndexError, TypeError, AttributeError, struct.error, ValueError) as error:
        raise _damaged(path, f"it cannot be read: {error}") from error
    return CompiledFile(streams, rest, inputs, outputs)


def _rest(model: Any, graph: Any, custom: set[int]) -> Iterator[LeftOp]:
    operators = vars(schema().BuiltinOperator)
    names = {code: name for name, code in operators.items() if isinstance(code, int)}
    for op in graph.operators:
        if op.opcodeIndex in custom:
            continue
        outputs = [graph.tensors[k] for k in op.outputs]
        labels = frozenset[str]().union(*map(names_of, outputs))
        size = sum(prod(map(int, tensor.shape)) for tensor in outputs)
        yield LeftOp(
            names.get(model.operatorCodes[op.opcodeIndex].builtinCode, "CUSTOM"), labels, size
        )


def _buffer(model: Any, graph: Any, tensor: int) -> bytes:
    return bytes(model.buffers[graph.tensors[tensor].buffer].data)


def _npu(stream: bytes, path: Path) -> str:
    """Return the NPU that the stream is for; its words must end where the file's do."""
    if stream[:4] != _MARK or len(stream) % 4:
        raise _damaged(path, f"a command stream begins with {stream[:4]!r}, not {_MARK!r}")
    words = struct.unpack(f"<{len(stream) // 4}I", stream)
    place, npu = 1, ""
    while place < len(words):
        kind, high, low = words[place] & 0xFF, words[place] >> 8 & 0xFF, words[place] >> 16
        place += 1
        if kind == _CONFIG:
            npu = _configured(words[place])
            place += 2
        elif kind == _STREAM:
            length = high << 16 | low
            if npu and 0 < length == len(words) - place:
                return npu
            raise _damaged(path, f"its command stream has {len(words) - place} words, not {length}")
        elif kind != _NOTHING:
            break
    raise _damaged(path, "its command stream has no commands")


def _configured(word: int) -> str:
    return f"Ethos-{_FAMILIES.get(word >> 28, '?')}-{1 << (word & 0xF)}"


def _damaged(path: Path, why: str) -> PackageError:
    return PackageError(
        "this is no sound file of Vela's",
        where=str(path),
        why=why,
        hint="the file is damaged, or was not compiled for an Ethos-U: export it again",
    )
