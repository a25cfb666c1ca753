"""Several files as signatures of one, whose buffers lie in it once where they are the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.backends.functions import Functions, NotJoinedError
from edgevit.backends.on_host import Run, over_tensors
from edgevit.backends.tflite.flatbuffer import read_model, schema, write_model
from edgevit.backends.tflite.runtime import open_interpreter
from edgevit.backends.tflite.session import TFLiteSession


def join_files(files: Mapping[str, Path], path: Path) -> None:
    joined = _Signatures()
    for name, file in files.items():
        joined.add(name, read_model(file))
    write_model(joined.model, path)


class _Signatures:
    def __init__(self) -> None:
        self.model = schema().ModelT()
        self.model.operatorCodes, self.model.subgraphs, self.model.signatureDefs = [], [], []
        self.model.buffers = [schema().BufferT()]  # the first holds nothing
        self._calls: dict[tuple[object, ...], int] = {}
        self._buffers: dict[bytes, int] = {b"": 0}

    def add(self, name: str, model: Any) -> None:
        """Add the graph of a file under a signature of this name."""
        if len(model.subgraphs) != 1 or len(model.signatureDefs or ()) != 1:
            raise NotJoinedError("the file of a size has several graphs")
        if any(buffer.offset > 1 for buffer in model.buffers):
            raise NotJoinedError(
                "the weights lie behind the file's tables, where they are too many"
            )
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        if not self.model.subgraphs:
            self.model.version, self.model.description = model.version, model.description
            self.model.metadata = model.metadata
            for entry in model.metadata or ():
                entry.buffer = self._buffer(model.buffers[entry.buffer])
        for tensor in graph.tensors:
            tensor.buffer = self._buffer(model.buffers[tensor.buffer])
        for operator in graph.operators:
            operator.opcodeIndex = self._call(model.operatorCodes[operator.opcodeIndex])
        graph.name = signature.signatureKey = name.encode()
        signature.subgraphIndex = len(self.model.subgraphs)
        self.model.subgraphs.append(graph)
        self.model.signatureDefs.append(signature)

    def _buffer(self, buffer: Any) -> int:
        data = b"" if buffer.data is None else bytes(buffer.data)
        if data not in self._buffers:
            self._buffers[data] = len(self.model.buffers)
            self.model.buffers.append(buffer)
        return self._buffers[data]

    def _call(self, code: Any) -> int:
        key = code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version
        if key not in self._calls:
            self._calls[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        return self._calls[key]


def open_signature(path: Path, name: str | None, precision: str) -> Run:
    """Open a file's only graph, or the one of a signature."""
    del precision
    return over_tensors(TFLiteSession(path, 1).run if name is None else _signature(path, name))


def _signature(path: Path, name: str) -> Any:
    model = read_model(path)
    (entry,) = (one for one in model.signatureDefs if one.signatureKey == name.encode())
    graph = model.subgraphs[entry.subgraphIndex]
    runner = open_interpreter(path, 1).get_signature_runner(name)
    inputs, outputs = (
        {port.tensorIndex: bytes(port.name).decode() for port in ports}
        for ports in (entry.inputs, entry.outputs)
    )

    def run(arrays: list[Any]) -> list[Any]:
        feeds = {inputs[place]: x for place, x in zip(graph.inputs, arrays, strict=True)}
        results = runner(**feeds)
        return [results[outputs[place]] for place in graph.outputs]

    return run


FUNCTIONS = Functions(None, open_signature, join_files=join_files)
