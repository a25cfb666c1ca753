"""Run a package of fp32 as it computes where all but some of its operations are in fp16."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from edgevit.backends.coreml.check.interpret import arrays, last_reads, perform, received
from edgevit.backends.coreml.check.program import MilPackage, Operation, Value
from edgevit.backends.coreml.check.rounding import OVERFLOW

_INFINITE = 1e38  # what the converter takes for an infinity, as in a mask


@dataclass(frozen=True)
class MixedRun:
    """Run of a package with a choice of operations in fp32.

    An operation in fp16 computes in fp32 from rounded operands, and its results are rounded.
    """

    package: MilPackage

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Operations that read or give floats, in their order."""
        main = self.package.main
        results = [*main.inputs, *(out for op in main.operations for out in op.outputs)]
        floats = {value.name for value in results if value.type.dtype == "fp32"}
        return tuple(
            op
            for op in main.operations
            if floats & {*op.reads(), *(out.name for out in op.outputs)}
        )

    def __call__(
        self, inputs: Mapping[str, Tensor], in_fp32: Collection[str]
    ) -> Mapping[str, Tensor]:
        """Return the outputs by name; those that cannot be computed are missing."""
        main = self.package.main
        values: dict[str, Value] = dict(main.constants) | received(self.package, inputs, "fp32")
        rounded: set[str] = set()
        results = {name: values[name] for name in main.outputs if name in values}
        for op, spent in zip(main.operations, last_reads(main), strict=True):
            if all(name in values for name in op.reads()):
                half = op.name not in in_fp32 and not self._beyond & set(op.reads())
                operands = {name: values[name] for name in op.reads()}
                if half:
                    operands |= {
                        name: self._constants[name]
                        if name in self._constants
                        else _rounded(values[name])
                        for name in operands.keys() - rounded
                    }
                computed = perform(op, operands, main.opset, "fp32").values
                values |= {name: _rounded(x) if half else x for name, x in computed.items()}
                rounded |= computed.keys() if half else set()
                results |= {name: values[name] for name in computed if name in main.outputs}
            for name in spent:
                values.pop(name, None)
        return arrays(results, self.package)

    @cached_property
    def _constants(self) -> dict[str, Value]:
        return {name: _rounded(value) for name, value in self.package.main.constants.items()}

    @cached_property
    def _beyond(self) -> frozenset[str]:
        """Constants that fp16 does not reach: the converter leaves what reads them in fp32."""
        return frozenset(
            name for name, value in self.package.main.constants.items() if _is_beyond(value)
        )


def _rounded(value: Value) -> Value:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.half().float()
    return value


def _is_beyond(value: Value) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    size = value.abs()
    return bool(((size >= OVERFLOW) & (size < _INFINITE)).any())
