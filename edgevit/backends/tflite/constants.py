"""Constants of a TFLite file, as they lie in its buffers."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.tflite.flatbuffer import read_model, schema
from edgevit.quantize import StoredTensor

_BITS = {"INT4": 4, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "FLOAT16": 16, "FLOAT32": 32}


def stored(path: Path) -> tuple[StoredTensor, ...]:
    """List the buffers that tensors lie in, and the scales, which are no tensors."""
    model = read_model(path)
    types = {getattr(schema().TensorType, name): name for name in _BITS}
    buffers: dict[int, StoredTensor] = {}
    scales: list[StoredTensor] = []
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is None or len(data) == 0 or tensor.type not in types:
            continue
        name = types[tensor.type]
        buffers[tensor.buffer] = StoredTensor(_BITS[name], len(data), name.startswith("INT"))
        grids = tensor.quantization
        if grids is not None and grids.scale is not None:
            scales.append(StoredTensor(32, 4 * len(grids.scale), integer=False))
    return (*buffers.values(), *scales)
