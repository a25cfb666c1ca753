"""Core ML program as plain frozen data: read from disk, before anything is computed.

Constants are not operations here: they are read (and decompressed) once, and every run shares them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

Value = Tensor | str | tuple[Tensor | str, ...]


@dataclass(frozen=True)
class ValueType:
    """Element type by MIL's short name (`fp16`, `int32`, ...) and shape; None is a free size.

    `shape` is None for a variadic rank. Lists, dictionaries and states carry their kind as `dtype`.
    """

    dtype: str
    shape: tuple[int | None, ...] | None = ()

    def admits(self, shape: tuple[int, ...]) -> bool:
        if self.shape is None:
            return True
        if len(self.shape) != len(shape):
            return False
        return all(want is None or want == got for want, got in zip(self.shape, shape, strict=True))

    def __str__(self) -> str:
        sizes = (
            "*"
            if self.shape is None
            else "x".join("?" if n is None else str(n) for n in self.shape)
        )
        return f"{sizes or 'scalar'} {self.dtype}"


@dataclass(frozen=True)
class NamedType:
    name: str
    type: ValueType


@dataclass(frozen=True)
class Ref:
    """Reference to another operation's output, a constant or a function input, as an argument."""

    name: str


@dataclass(frozen=True)
class Operation:
    """One operation; `arguments` holds inputs and attributes.

    Which parameters are inputs and which are attributes changed between opsets.
    """

    kind: str
    name: str
    arguments: Mapping[str, tuple[Ref | Value, ...]]
    outputs: tuple[NamedType, ...]

    def reads(self) -> Iterator[str]:
        for bindings in self.arguments.values():
            yield from (b.name for b in bindings if isinstance(b, Ref))


@dataclass(frozen=True)
class Function:
    name: str
    opset: int
    inputs: tuple[NamedType, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    constants: Mapping[str, Value]

    def op_counts(self) -> Counter[str]:
        return Counter(op.kind for op in self.operations)


@dataclass(frozen=True)
class ImageInfo:
    """Image input: pixels 0..255, planes in the order of `layout` (RGB, BGR or GRAYSCALE).

    In an ML program, scale and bias are ordinary `mul` and `add` operations, not part of this.
    """

    width: int
    height: int
    layout: str


@dataclass(frozen=True)
class Feature:
    """Input or output as the model description shows it to an app."""

    name: str
    kind: str
    type: ValueType
    image: ImageInfo | None = None


@dataclass(frozen=True)
class Description:
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    class_labels: tuple[str | int, ...] = ()
    predicted_label: str = ""
    predicted_probabilities: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MilPackage:
    path: Path
    specification: int
    description: Description
    functions: Mapping[str, Function]
    default: str

    @property
    def main(self) -> Function:
        return self.functions[self.default]
