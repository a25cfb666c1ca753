"""The integer graph: values with a scale, operations that each make one of them, in the order they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import ClassVar, TypeVar

import numpy as np

from edgevit.graph.program import Origin

SIZES = {"int8": 1, "int16": 2}
MOST = 2**16 - 1  # along an axis


class InvalidOperationError(ValueError):
    """An operation whose parts do not fit together: our bug, named at the step that made it."""


class OverflowingOperationError(InvalidOperationError):
    """A size of the network that the kernels have no room for: refused by the call's name, and no bug."""


T = TypeVar("T")


def _without(values: Sequence[T], places: Collection[int]) -> list[T]:
    """Return the values but those at `places`."""
    return [value for place, value in enumerate(values) if place not in places]


def require(holds: bool, why: str) -> None:
    if not holds:
        raise InvalidOperationError(why)


def require_within(size: int, what: str, most: int = MOST) -> None:
    """Raise `OverflowingOperationError` for a size that the kernels' fields of 16 or 8 bits do not hold."""
    if size > most:
        raise OverflowingOperationError(f"{what}: {size:,}, and the kernels count to {most:,}")


@dataclass(frozen=True)
class Value:
    """A tensor, channels last, without a batch. It stands for `scale * (integer - zero)`."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float = 1.0
    zero: int = 0

    @cached_property
    def size(self) -> int:
        return prod(self.shape)

    @cached_property
    def bytes(self) -> int:
        return self.size * SIZES[self.dtype]

    @property
    def rows(self) -> int:
        """Number of channel vectors."""
        return self.size // self.shape[-1]

    def dequantized(self, integers: np.ndarray) -> np.ndarray:
        return self.scale * (integers.astype(np.float64) - self.zero)

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.shape))
        zero = f" zero {self.zero}" if self.zero else ""
        return f"{self.dtype}[{sizes}] scale {self.scale:.6g}{zero}"


@dataclass(frozen=True, eq=False)
class Op(ABC):
    """One step of the graph.

    `run` defines what it computes, in integers alone; the scales of its values are only for people.
    """

    kind: ClassVar[str]
    single_pass: ClassVar[bool] = False  # its rows come once and cannot be computed again

    inputs: tuple[Value, ...]
    output: Value
    origin: Origin = field(default=Origin(), kw_only=True)

    @property
    def name(self) -> str:
        return self.output.name

    @property
    def source(self) -> Value:
        return self.inputs[0]

    @abstractmethod
    def check(self) -> None:
        """Raise `InvalidOperationError` unless shapes, types and parameters fit, and no 32-bit accumulator can overflow."""

    @abstractmethod
    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """Compute the output. This is the definition of correct."""

    def constants(self) -> dict[str, np.ndarray]:
        """Return the arrays that go to flash, by name."""
        return {}

    def macs(self) -> int:
        return 0

    def settings(self) -> str:
        """Format the parameters for the text form."""
        return ""


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor with fixed data: a class token, a position table."""

    value: Value
    data: np.ndarray


@dataclass(frozen=True, eq=False)
class IntegerGraph:
    name: str
    inputs: tuple[Value, ...]
    constants: tuple[Constant, ...]
    ops: tuple[Op, ...]
    outputs: tuple[Value, ...]
    # inputs, each with the output that it is the next time
    states: tuple[tuple[int, int], ...] = ()
    initial: tuple[np.ndarray, ...] = ()  # of the states, before the first call

    @property
    def state_inputs(self) -> tuple[Value, ...]:
        return tuple(self.inputs[k] for k, _ in self.states)

    @property
    def passed_inputs(self) -> tuple[Value, ...]:
        return self.passed(self.inputs)

    @property
    def returned_outputs(self) -> tuple[Value, ...]:
        return self.returned(self.outputs)

    def passed(self, inputs: Sequence[T]) -> tuple[T, ...]:
        """Return the inputs of a call, of those of the graph: without the states."""
        return tuple(_without(inputs, [k for k, _ in self.states]))

    def returned(self, outputs: Sequence[T]) -> tuple[T, ...]:
        """Return the outputs of a call, of those of the graph: without the next states."""
        return tuple(_without(outputs, [j for _, j in self.states]))

    def values(self) -> Iterator[Value]:
        yield from self.inputs
        yield from (constant.value for constant in self.constants)
        yield from (op.output for op in self.ops)

    def macs(self) -> int:
        return sum(op.macs() for op in self.ops)

    def constant_bytes(self) -> int:
        """Return the bytes of all constants, each distinct content counted once."""
        arrays = [array for op in self.ops for array in op.constants().values()]
        contents = {array.tobytes() for array in (*arrays, *(c.data for c in self.constants))}
        return sum(map(len, contents))

    def verify(self) -> IntegerGraph:
        """Verify the graph and return it: every value is made once, before it is read, and every
        operation passes its check.
        """
        defined: dict[str, Value] = {}
        for value in (*self.inputs, *(constant.value for constant in self.constants)):
            self._define(value, defined)
        for constant in self.constants:
            data, value = constant.data, constant.value
            require(
                data.shape == value.shape and data.dtype == value.dtype, f"{value.name}: its data"
            )
        for op in self.ops:
            for value in op.inputs:
                require(
                    defined.get(value.name) == value, f"{op.name} reads {value.name}, not made yet"
                )
            try:
                op.check()
            except InvalidOperationError as error:
                raise type(error)(f"{op.kind} {op.name}: {error}") from None
            self._define(op.output, defined)
        require(
            list(self.states) == sorted(self.states), "its states are not in the order of inputs"
        )
        for state, after in self.states:
            require(state < len(self.inputs) and after < len(self.outputs), "a state is not there")
            before, now = self.inputs[state], self.outputs[after]
            require(
                replace(now, name=before.name) == before, f"{before.name} is {before}, then {now}"
            )
        require(len(self.initial) == len(self.states), "a state has no first value")
        for state, first in zip(self.state_inputs, self.initial, strict=True):
            require(
                first.shape == state.shape and first.dtype == state.dtype,
                f"{state.name}: its first value",
            )
        for value in self.outputs:
            require(defined.get(value.name) == value, f"nothing makes the output {value.name}")
        return self

    def _define(self, value: Value, defined: dict[str, Value]) -> None:
        require(value.name not in defined, f"{value.name} is made twice")
        require(
            value.dtype in SIZES and value.size > 0 and value.scale > 0, f"{value.name}: {value}"
        )
        defined[value.name] = value
