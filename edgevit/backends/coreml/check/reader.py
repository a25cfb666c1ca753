"""Conversion from MIL protobuf messages to the checker's own program.

Every constant is read and every weight expanded.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edgevit.backends.coreml.check.blob import WeightFile
from edgevit.backends.coreml.check.element import BY_NAME, ELEMENTS, Element, decode
from edgevit.backends.coreml.check.messages import HINT, Message, element_names
from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError
from edgevit.backends.coreml.check.ops.constexpr import OPS as CONSTEXPR
from edgevit.backends.coreml.check.program import (
    Function,
    NamedType,
    Operation,
    Ref,
    Value,
    ValueType,
)
from edgevit.errors import PackageError
from edgevit.support.file_limits import why_outside

MODEL_PATH = "@model_path/"


class WeightFiles:
    """Weight files of a package, each read at most once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, WeightFile] = {}

    def open(self, name: str) -> WeightFile:
        if name not in self.files:
            inside = name.removeprefix(MODEL_PATH)
            if why := why_outside(self.folder, inside):
                raise PackageError(
                    "the program names weights that are not in its package",
                    where=str(self.folder),
                    why=f"{name!r:.200}: {why}",
                    hint=HINT,
                )
            self.files[name] = WeightFile(self.folder / inside)
        return self.files[name]


class FunctionReader:
    def __init__(self, name: str, proto: Message, weights: WeightFiles) -> None:
        self.name = name
        self.proto = proto
        self.weights = weights
        self.constants: dict[str, Value] = {}

    def read(self) -> Function:
        if self.proto.opset not in self.proto.block_specializations:  # reading it would make one
            raise broken(self.name, f"the function has no block for `{self.proto.opset}`")
        block = self.proto.block_specializations[self.proto.opset]
        operations = []
        for proto in block.operations:
            op = self._operation(proto)
            if not self._keep_constant(op):
                operations.append(op)
        opset = re.search(r"\d+", self.proto.opset)
        return Function(
            name=self.name,
            opset=int(opset.group()) if opset else 0,
            inputs=tuple(named_type(i) for i in self.proto.inputs),
            outputs=tuple(block.outputs),
            operations=tuple(operations),
            constants=self.constants,
        )

    def _operation(self, proto: Message) -> Operation:
        outputs = tuple(named_type(o) for o in proto.outputs)
        label = outputs[0].name if outputs else proto.type
        arguments = {
            key: tuple(self._binding(b, label) for b in value.arguments)
            for key, value in proto.inputs.items()
        }
        for key, value in proto.attributes.items():
            if key != "name":
                arguments[key] = (self._value(value, label),)
        return Operation(proto.type, label, arguments, outputs)

    def _binding(self, proto: Message, label: str) -> Ref | Value:
        return (
            self._value(proto.value, label)
            if proto.WhichOneof("binding") == "value"
            else Ref(proto.name)
        )

    def _keep_constant(self, op: Operation) -> bool:
        """Record the value of a constant, and return whether there was one.

        A constexpr that cannot be expanded stays an operation.
        """
        if op.kind == "const":
            (value,) = op.arguments["val"]
            if isinstance(value, Ref):
                raise broken(op.name, f"its value is `{value.name}`, not written with it")
            self.constants[op.name] = value
            return True
        if op.kind not in CONSTEXPR:
            return False
        try:
            result = CONSTEXPR[op.kind](Arguments(bound(op, self.constants), op.outputs, 0))
        except (NotInterpretedError, RuntimeError, ValueError, KeyError):
            return False
        values = result if isinstance(result, tuple) else (result,)
        for out, value in zip(op.outputs, values, strict=True):
            self.constants[out.name] = stored(value, out)
        return True

    def _value(self, proto: Message, label: str) -> Value:
        if proto.WhichOneof("value") == "blobFileValue":
            element, shape = tensor_type(proto.type.tensorType, label)
            blob = proto.blobFileValue
            flat = self.weights.open(blob.fileName).read(
                blob.offset, element, math.prod(shape), label
            )
            return flat.reshape(shape)
        immediate = proto.immediateValue
        if immediate.WhichOneof("value") in ("list", "tuple"):
            items = immediate.list.values or immediate.tuple.values
            return tuple(single(self._value(item, label)) for item in items)
        return immediate_tensor(proto, label)


def immediate_tensor(proto: Message, label: str) -> Value:
    """Read a small constant written in the program itself."""
    tensor = proto.immediateValue.tensor
    element, shape = tensor_type(proto.type.tensorType, label)
    count = math.prod(shape)
    if element.name == "string":
        strings = tuple(tensor.strings.values)
        return strings[0] if shape == () and strings else strings
    kind = tensor.WhichOneof("value")
    if kind == "bytes":
        data = np.frombuffer(tensor.bytes.values, dtype=np.uint8).copy()
        if data.size != element.size(count):
            raise broken(label, f"{data.size} bytes written, {count} elements of {element.name}")
        return decode(data, element, count).reshape(shape)
    values = getattr(tensor, kind).values if kind else []
    if len(values) != count:
        raise broken(label, f"{len(values)} values written, its type has {count}")
    return torch.tensor(list(values), dtype=element.tensor_dtype).reshape(shape)


def named_type(proto: Message) -> NamedType:
    return NamedType(proto.name, value_type(proto.type))


def value_type(proto: Message) -> ValueType:
    kind = proto.WhichOneof("type") or "unknown"
    if kind != "tensorType":
        return ValueType(kind.removesuffix("Type"), None)
    tensor = proto.tensorType
    element = ELEMENTS.get(type_name(tensor))
    name = element.name if element else type_name(tensor).lower()
    return ValueType(name, sizes(tensor))


def sizes(proto: Message) -> tuple[int | None, ...] | None:
    if any(d.unknown.variadic for d in proto.dimensions):
        return None
    return tuple(
        d.constant.size if d.WhichOneof("dimension") == "constant" else None
        for d in proto.dimensions
    )


def type_name(proto: Message) -> str:
    return element_names().get(proto.dataType, f"number {proto.dataType}")


def tensor_type(proto: Message, label: str) -> tuple[Element, tuple[int, ...]]:
    name, shape = type_name(proto), sizes(proto)
    if name not in ELEMENTS:
        raise broken(label, f"element type {name}, which we cannot read")
    if shape is None or any(n is None for n in shape):
        raise broken(label, "a constant without a fixed shape")
    return ELEMENTS[name], tuple(n for n in shape if n is not None)


def bound(op: Operation, values: dict[str, Value]) -> dict[str, Value]:
    """Return the operation's arguments, references resolved; several bindings become a tuple."""
    arguments: dict[str, Value] = {}
    for key, bindings in op.arguments.items():
        items = [values[b.name] if isinstance(b, Ref) else b for b in bindings]
        if len(items) == 1:
            arguments[key] = items[0]
        elif items:
            arguments[key] = tuple(single(item) for item in items)
    return arguments


def single(value: Value) -> Tensor | str:
    if isinstance(value, tuple):
        raise NotInterpretedError("a list inside a list")
    return value


def stored(value: Value, out: NamedType) -> Value:
    """Convert an expanded weight to the type that the device expands it to."""
    if isinstance(value, Tensor) and out.type.dtype == "fp16":
        return value.half().float()
    if isinstance(value, Tensor) and out.type.dtype in BY_NAME:
        return value.to(BY_NAME[out.type.dtype].tensor_dtype)
    return value


def broken(label: str, why: str) -> PackageError:
    return PackageError(
        f"the constant `{label}` cannot be read", where=label, why=why, hint="export it again"
    )
