"""Constants of a .pte file, as they lie in XNNPACK's part of it."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgevit.backends.executorch.tool import module
from edgevit.quantize import StoredTensor

_MARK = b"XH00"  # four bytes into a header
_HEADER = (8, 10), (10, 14), (14, 18)  # its own size; place and size of the graph
_BITS = {"qcint4": 4, "qbint4": 4, "qint8": 8, "qcint8": 8, "qint32": 32, "qcint32": 32, "fp16": 16}

_NO_NUMBER = re.compile(r"(?<=: )-?(inf|nan)\b")  # limits of a clamp, in no JSON


def stored(path: Path) -> tuple[StoredTensor, ...]:
    """List the constants that XNNPACK reads, and the scales, which are no tensors."""
    file = module("exir._serialize._program").deserialize_pte_binary(path.read_bytes())
    named = file.named_data
    sizes = {key: len(named.buffers[entry.buffer_index]) for key, entry in named.pte_data.items()}
    constants: dict[str, tuple[StoredTensor, ...]] = {}
    for delegate in file.program.backend_delegate_data:
        if bytes(delegate.data)[4:8] == _MARK:
            constants.update(_constants(_graph(bytes(delegate.data)), sizes))
    return tuple(tensor for tensors in constants.values() for tensor in tensors)


def _graph(data: bytes) -> Any:
    """Return XNNPACK's graph as JSON, read by the compiler of its own schema."""
    place, size = (int.from_bytes(data[first:last], "little") for first, last in _HEADER[1:])
    schemas = resources.files(module("backends.xnnpack.serialization"))
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "schema.bin")
        schema.write_bytes(schemas.joinpath("schema.fbs").read_bytes())
        binary.write_bytes(data[place : place + size])
        words = ["--raw-binary", "--defaults-json"]
        compiler = module("exir._serialize._flatbuffer")
        compiler._flatc_decompile(folder, str(schema), str(binary), words)
        return json.loads(_NO_NUMBER.sub("null", binary.with_suffix(".json").read_text()))


def _constants(
    graph: Any, sizes: Mapping[str, int]
) -> Iterator[tuple[str, tuple[StoredTensor, ...]]]:
    """Yield the constants by the names of their data, which several tensors may share."""
    data = graph["constant_data"]
    for one in graph["xvalues"]:
        union = one["xvalue_union"]
        tensor = union.get("tensor_value", union)
        place = tensor["constant_buffer_idx"]
        if place:
            key = data[place]["named_key"]
            yield key, tuple(_stored(tensor, sizes[key]))
        scales = union.get("quant_params", {}).get("scale_buffer_idx", -1)
        if scales >= 0:
            key = data[scales]["named_key"]
            yield key, (StoredTensor(32, sizes[key], integer=False),)


def _stored(tensor: Any, size: int) -> Iterator[StoredTensor]:
    """Yield a constant, and apart from it the halves of bytes that fill up rows of 4 bits."""
    kind = str(tensor["datatype"]).removeprefix("xnn_datatype_")
    bits = _BITS.get(kind, 32)
    own = (math.prod(tensor["dims"]) * bits + 7) // 8
    yield StoredTensor(bits, min(own, size), kind.startswith("q"))
    if size > own:
        yield StoredTensor(8, size - own, integer=True)
