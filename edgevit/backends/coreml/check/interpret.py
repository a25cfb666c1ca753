"""Run a Core ML program on the CPU, operation by operation, in fp32 or as an fp16 accelerator would.

    fp32   every float is computed and kept in fp32, whatever the program declares
    fp16   each operation computes in fp32 and its result is rounded once, if the program declares it fp16

Rounding once per operation is the usual model of an accelerator that accumulates in fp32; it bounds
what the format costs, it does not predict a device's last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from edgevit.backends.coreml.check.element import BY_NAME
from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError
from edgevit.backends.coreml.check.ops.table import MOVES_ONLY, TABLE
from edgevit.backends.coreml.check.program import (
    Feature,
    Function,
    MilPackage,
    NamedType,
    Operation,
    Value,
)
from edgevit.backends.coreml.check.reader import bound
from edgevit.backends.coreml.check.rounding import Rounding, round_to_fp16
from edgevit.errors import UsageError, suggest

Precision = Literal["fp32", "fp16"]
Watch = Callable[[Operation, str, Tensor], None]


@dataclass(frozen=True)
class Unchecked:
    """Operation that was not computed, with the reason.

    Its output, and every value computed from it, is not verified.
    """

    op: str
    output: str
    reason: str

    def __str__(self) -> str:
        return f"{self.op} (`{self.output}`): {self.reason}"


@dataclass(frozen=True)
class Step:
    """One executed operation; `values` is empty if it could not be computed."""

    op: Operation
    values: Mapping[str, Value]
    rounding: tuple[Rounding, ...] = ()
    unchecked: Unchecked | None = None

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, value in self.values.items():
            if isinstance(value, Tensor):
                yield name, value


@dataclass(frozen=True)
class InterpretedRun:
    """Results of a run.

    `outputs` and `labels` are by output name; `values` are kept only on request.
    """

    precision: Precision
    outputs: Mapping[str, Tensor]
    labels: Mapping[str, str | int]
    unchecked: tuple[Unchecked, ...]
    rounding: tuple[Rounding, ...]
    values: Mapping[str, Tensor]

    @property
    def complete(self) -> bool:
        return not self.unchecked

    @property
    def overflow(self) -> int:
        return sum(r.overflow for r in self.rounding)

    @property
    def subnormal(self) -> int:
        return sum(r.subnormal for r in self.rounding)


def interpret(
    package: MilPackage,
    inputs: Mapping[str, Tensor],
    precision: Precision = "fp32",
    *,
    keep: bool = False,
    watch: Watch | None = None,
) -> InterpretedRun:
    main = package.main
    results: dict[str, Value] = {}
    tensors: dict[str, Tensor] = {}
    unchecked = other_functions(package)
    rounding: list[Rounding] = []
    for step in steps(package, inputs, precision):
        results |= {name: value for name, value in step.values.items() if name in main.outputs}
        rounding += [r for r in step.rounding if r]
        if step.unchecked:
            unchecked.append(step.unchecked)
        for name, tensor in step.tensors():
            if keep:
                tensors[name] = tensor
            if watch:
                watch(step.op, name, tensor)
    results |= straight_through(main, inputs)
    outputs = arrays(results, package)
    labels = {name: plain_label(value) for name, value in results.items() if name not in outputs}
    return InterpretedRun(precision, outputs, labels, tuple(unchecked), tuple(rounding), tensors)


def steps(
    package: MilPackage, inputs: Mapping[str, Tensor], precision: Precision
) -> Iterator[Step]:
    """Run the program and yield each operation's results.

    A value is dropped after its last reader.
    """
    main = package.main
    values: dict[str, Value] = dict(main.constants)
    values |= received(package, inputs, precision)
    for op, spent in zip(main.operations, last_reads(main), strict=True):
        if all(name in values for name in op.reads()):
            step = perform(op, values, main.opset, precision)
            values |= step.values
            yield step
        for name in spent:
            values.pop(name, None)


def last_reads(function: Function) -> list[list[str]]:
    """Return, for each operation, the values that nothing reads after it."""
    seen = set(function.outputs) | set(function.constants)
    spent: list[list[str]] = []
    for op in reversed(function.operations):
        touched = {*op.reads(), *(out.name for out in op.outputs)} - seen
        seen |= touched
        spent.append(sorted(touched))
    return spent[::-1]


def perform(op: Operation, values: dict[str, Value], opset: int, precision: Precision) -> Step:
    """Run an operation; any failure is reported as `unchecked`.

    The fault may lie in the program or in our reading of it, so the operation is not verified.
    """
    function = TABLE.get(op.kind)
    if function is None:
        return not_done(op, "we have no definition of this operation")
    try:
        result = function(Arguments(bound(op, values), op.outputs, opset))
    except NotInterpretedError as reason:
        return not_done(op, str(reason))
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
        return not_done(
            op, f"cannot run as written: {str(error).splitlines()[0] if str(error) else error!r}"
        )
    results = result if isinstance(result, tuple) else (result,)
    wrong = disagreement(op, results)
    if wrong:
        return not_done(op, wrong)
    return typed_results(op, results, precision)


def not_done(op: Operation, reason: str) -> Step:
    return Step(op, {}, unchecked=Unchecked(op.kind, op.name, reason))


def disagreement(op: Operation, results: tuple[Value, ...]) -> str:
    """Return how the results differ from what the program declares; "" if they do not."""
    if len(results) != len(op.outputs):
        return f"{len(op.outputs)} outputs declared, {len(results)} computed"
    for out, value in zip(op.outputs, results, strict=True):
        if isinstance(value, Tensor) and not out.type.admits(tuple(value.shape)):
            return (
                f"`{out.name}` is declared {out.type}, its shape comes out as {tuple(value.shape)}"
            )
    return ""


def typed_results(op: Operation, results: tuple[Value, ...], precision: Precision) -> Step:
    """Convert results to their declared types, and round them if this run rounds to fp16."""
    values: dict[str, Value] = {}
    rounding: list[Rounding] = []
    rounds = precision == "fp16" and op.kind not in MOVES_ONLY
    for out, value in zip(op.outputs, results, strict=True):
        if isinstance(value, Tensor):
            value = typed(value, out)
            if rounds and out.type.dtype == "fp16":
                value, counted = round_to_fp16(value, op.kind, out.name)
                rounding.append(counted)
        values[out.name] = value
    return Step(op, values, tuple(rounding))


def typed(value: Tensor, out: NamedType) -> Tensor:
    element = BY_NAME.get(out.type.dtype)
    return value if element is None else value.to(element.tensor_dtype)


def received(
    package: MilPackage, inputs: Mapping[str, Tensor], precision: Precision
) -> dict[str, Value]:
    """Return the inputs, checked against the declarations of the package."""
    expected = {declared.name: declared for declared in package.main.inputs}
    for name in inputs:
        if name not in expected:
            raise UsageError(f"the package has no input `{name}`", hint=suggest(name, expected))
    features = {feature.name: feature for feature in package.description.inputs}
    values: dict[str, Value] = {}
    for name, declared in expected.items():
        if declared.type.dtype == "state":
            continue
        if name not in inputs:
            raise UsageError(
                f"input `{name}` is not given", hint=f"the package takes {declared.type}"
            )
        values[name] = checked_input(inputs[name].detach(), declared, features.get(name), precision)
    return values


def checked_input(
    x: Tensor, declared: NamedType, feature: Feature | None, precision: Precision
) -> Tensor:
    if not declared.type.admits(tuple(x.shape)):
        why = f"declared {declared.type}, given {tuple(x.shape)}"
        raise UsageError(f"input `{declared.name}` has the wrong shape", why=why)
    x = typed(x, declared)
    if feature is not None and feature.image is not None and x.numel():
        low, high = (float(n) for n in x.aminmax())
        if low < 0 or high > 255:
            hint = "give pixels from 0 to 255; scale and bias are inside the program"
            raise UsageError(
                f"image `{declared.name}` has values from {low:g} to {high:g}", hint=hint
            )
    return x.half().float() if precision == "fp16" and declared.type.dtype == "fp16" else x


def straight_through(main: Function, inputs: Mapping[str, Tensor]) -> dict[str, Value]:
    """Return outputs that no operation computes: inputs or constants passed through."""
    values = {**main.constants, **inputs}
    computed = {out.name for op in main.operations for out in op.outputs}
    return {name: values[name] for name in main.outputs if name in values and name not in computed}


def other_functions(package: MilPackage) -> list[Unchecked]:
    reason = "only the default function of a package is run"
    return [
        Unchecked("function", name, reason) for name in package.functions if name != package.default
    ]


def arrays(results: Mapping[str, Value], package: MilPackage) -> dict[str, Tensor]:
    label = package.description.predicted_label
    return {n: v for n, v in results.items() if isinstance(v, Tensor) and n != label}


def plain_label(value: Value) -> str | int:
    return int(value) if isinstance(value, Tensor) else str(value)
