"""Core ML backend for the pipeline: the rules, the lowering, and the check that needs no Mac."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import fx
from torch.fx.node import Node

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.coreml.check import (
    InterpretedRun,
    MilPackage,
    Precision,
    Rounding,
    first_departure,
    first_fp16_departure,
    interpret,
    load_package,
)
from edgevit.backends.coreml.check.mixed import MixedRun
from edgevit.backends.coreml.check.program import NamedType
from edgevit.backends.coreml.lower import lower
from edgevit.backends.coreml.mixed_floats import range_note, shortest_range
from edgevit.backends.coreml.places import places
from edgevit.backends.coreml.rules import FORMS, FUSED, RULES
from edgevit.backends.coreml.scheme import IOS_18
from edgevit.backends.judged import judged
from edgevit.backends.on_host import Run
from edgevit.backends.own_rounding import own_rounding, rounding_notes
from edgevit.errors import PackageError, TargetError
from edgevit.graph.parity import FP16, FP32, UNKNOWN, Distance, Limit, Parity
from edgevit.graph.program import Inputs, Program
from edgevit.graph.ranking import compared
from edgevit.quantize import QUANTIZED, RoundedWeight, file_parity
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form
from edgevit.targets import Target

_OTHERS = ("scaled by 0.1", "scaled by 3")
_HELD_OUT = 16  # runs; the interpreter is slow
_NOT_COMPUTED = torch.tensor(torch.nan)  # behind a place that is beyond the end of an axis
_FUSES = (18,)  # the iOS that brought `scaled_dot_product_attention`


@dataclass(frozen=True)
class CoreML:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = FORMS

    def lower(self, request: Lowering) -> Artifact:
        return self._lowered(request)

    def _lowered(self, request: Lowering, in_fp32: Collection[str] = ()) -> Artifact:
        _require_blocks(request)
        return lower(
            request.program,
            request.source,
            minimum_os=_minimum_os(request),
            precision=request.precision,
            directory=request.directory,
            image_input=request.image_input,
            notes=_integer_notes(request),
            weights=_folded_weights(request),
            in_fp32=in_fp32,
            progress=request.progress,
        )

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        """Compare both packages with the model: fp32 for the lowering, then the shipped one.

        The full-precision package checks the lowering in fp32. The shipped package is checked as it
        will compute.
        """
        shipped = load_package(artifact.path)
        if artifact.precision == "fp32":
            return _parities(shipped, expected, "fp32", FP32)
        if expected.held_out:
            return _quantized_parities(shipped, artifact, expected)
        half = _parities(shipped, expected, "fp16", FP16)
        if artifact.reference is None:
            return half
        whole = _parities(load_package(artifact.reference), expected, "fp32", FP32)
        return (whole[0], half[0], *whole[1:], *half[1:])

    def refine(
        self, request: Lowering, artifact: Artifact, expected: Expected, checked: Sequence[Parity]
    ) -> Artifact | None:
        """Keep the operations in fp32 without which the package in fp16 departs."""
        failed = [one for one in checked if not one.passed]
        departs = all(one.precision == "fp16" for one in failed)
        if artifact.precision != "fp16" or artifact.reference is None or not departs:
            return None
        package = load_package(artifact.reference)
        run = MixedRun(package)
        names = [operation.name for operation in run.operations]
        request.progress("look for the operations that need fp32")
        in_fp32 = shortest_range(names, _holds(run, expected))
        if not in_fp32:
            return None
        where = places(package.main, request.program)
        refined = self._lowered(request, frozenset(in_fp32))
        note = range_note(in_fp32, len(names), where, failed[0])
        details = {"kept_in_fp32": {"operations": len(in_fp32), "of": len(names), "first": in_fp32[0], "last": in_fp32[-1]}}  # fmt: skip
        return replace(refined, notes=(note, *refined.notes)).with_details(**details)


def _holds(run: MixedRun, expected: Expected) -> Callable[[Collection[str]], bool]:
    """Return the check of the outputs, by the operations that are in fp32."""
    package = run.package
    others = [other for other in expected.others if other.name in _OTHERS]

    def holds(in_fp32: Collection[str]) -> bool:
        def outputs(inputs: Inputs) -> tuple[torch.Tensor, ...]:
            results = run(_named_inputs(package, inputs), in_fp32)
            return tuple(results.get(name, _NOT_COMPUTED) for name in package.main.outputs)

        apart, _ = compared(expected.outputs, outputs(expected.inputs), expected.rankings, FP16)
        if not FP16.holds(apart):
            return False
        parities = judged(outputs, others, expected.program, "fp16", FP16, expected.original)
        return all(one.passed for one in parities)

    return holds


def open_interpreter(artifact: Artifact) -> Run:
    """Return what the package computes, rounded as on the device."""
    return open_function(artifact.path, None, artifact.precision)


def open_function(path: Path, name: str | None, precision: str) -> Run:
    """Return what one of the package's functions computes; None is its default."""
    package = load_package(path, name)
    floats: Precision = "fp32" if precision == "fp32" else "fp16"

    def run(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        results = interpret(package, _named_inputs(package, inputs), floats)
        if results.unchecked:
            raise PackageError(
                f"{path.name} cannot be evaluated here",
                where=str(path),
                why="it is interpreted here, but for " + ", ".join(map(str, results.unchecked)),
                hint="evaluate it on a Mac, or another --format of the model here",
            )
        return tuple(results.outputs[name] for name in package.main.outputs)

    return run


def _minimum_os(request: Lowering) -> str:
    os = request.target.os
    return f"iOS{os.version[0]}" if os else "iOS17"


def _require_blocks(request: Lowering) -> None:
    """Refuse integers of 4 bits for systems that do not have them."""
    os = request.target.os
    if request.precision in IOS_18 and os is not None and os.version < (18,):
        raise TargetError(
            f"{request.precision} needs iOS 18, and {request.target.title} is exported for {os.name} {os.minimum}",
            where="--precision",
            why="Core ML stores integers of 4 bits with scales of blocks since iOS 18",
            hint="--precision palette4, which is as small; or a target of iOS 18: "
            'a file of your own with `minimum = "18.0"`',
        )


def _integer_notes(request: Lowering) -> tuple[str, ...]:
    """Say so if the target's Neural Engine has no use for integers."""
    engine = request.target.npu
    quantized = request.quantized
    if quantized is None or not quantized.scheme.rounds_activations:
        return ()
    if engine is None or engine.int8:
        return ()
    return (
        f"the Neural Engine of {request.target.title} computes in fp16 (from A17 Pro and M4 on in int8): "
        "bytes save memory there, not time; --precision w8 is as small and rounds no activation",
    )


def _folded_weights(request: Lowering) -> tuple[RoundedWeight, ...]:
    quantized = request.quantized
    if quantized is None or not quantized.scheme.folded:
        return ()
    return tuple(quantized.weights.values())


def _quantized_parities(
    shipped: MilPackage, artifact: Artifact, expected: Expected
) -> tuple[Parity, ...]:
    """Compare both packages on the held-out runs: they may be as noisy as their simulation."""
    packages: list[tuple[MilPackage, Precision, str]] = [(shipped, "fp16", "package")]
    if artifact.reference is not None:
        packages.insert(0, (load_package(artifact.reference), "fp32", "lowered"))
    return tuple(
        _quantized_parity(package, expected, floats, artifact.precision, stage)
        for package, floats, stage in packages
    )


def _quantized_parity(
    package: MilPackage, expected: Expected, floats: Precision, precision: str, stage: str
) -> Parity:
    written: list[tuple[torch.Tensor, ...]] = []
    for one in expected.held_out[:_HELD_OUT]:
        run = interpret(package, _named_inputs(package, one.inputs), floats)
        if run.unchecked:
            unchecked = tuple(str(u) for u in run.unchecked)
            return Parity(stage, precision, UNKNOWN, QUANTIZED, unchecked)
        written.append(tuple(run.outputs[name] for name in package.main.outputs))
    return file_parity(expected.held_out[:_HELD_OUT], written, precision, stage)


def _parities(
    package: MilPackage, expected: Expected, precision: Precision, limit: Limit
) -> tuple[Parity, ...]:
    """Compare the package on the example and on some of the other inputs.

    Only those in `_OTHERS` are compared, as the interpreter is slow.
    """
    parity = _parity(package, expected, precision, limit)
    if not parity.passed:
        return (parity,)

    def run(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        results = interpret(package, _named_inputs(package, inputs), precision).outputs
        return tuple(results.get(name, _NOT_COMPUTED) for name in package.main.outputs)

    others = [other for other in expected.others if other.name in _OTHERS]
    return (parity, *judged(run, others, expected.program, precision, limit, expected.original))


def _named_inputs(package: MilPackage, inputs: Inputs) -> dict[str, torch.Tensor]:
    return {
        declared.name: _as_declared(x, declared)
        for declared, x in zip(package.main.inputs, inputs, strict=True)
    }


def _parity(package: MilPackage, expected: Expected, precision: Precision, limit: Limit) -> Parity:
    inputs = _named_inputs(package, expected.inputs)
    run = interpret(package, inputs, precision)
    unchecked = tuple(str(u) for u in run.unchecked)
    distances, matched = UNKNOWN, ()
    if not unchecked:
        outputs = [run.outputs[name] for name in package.main.outputs]
        distances, matched = compared(expected.outputs, outputs, expected.rankings, limit)
    where = places(package.main, expected.program) if expected.program is not None else {}
    allowed = expected.limit(limit, distances, precision) if not unchecked else limit
    notes = (*matched, *rounding_notes(limit, allowed), *_rounding_notes(run, where))
    parity = Parity("package", precision, distances, allowed, unchecked, notes)
    if parity.passed or unchecked:
        return parity
    departure = _departure(package, inputs, expected, precision)
    coarse = _too_coarse(expected, distances, limit) if precision == "fp16" else ()
    notes = (*coarse, *parity.notes, *departure)
    return Parity("package", precision, distances, allowed, unchecked, notes)


def _as_declared(x: torch.Tensor, declared: NamedType) -> torch.Tensor:
    """Reshape a scalar to one value if the package declares an array for it."""
    return x.reshape(1) if x.ndim == 0 and not declared.type.admits(()) else x


def _too_coarse(expected: Expected, apart: Distance, limit: Limit) -> tuple[str, ...]:
    """Say so where PyTorch's own float16 is not the model either."""
    if expected.original is None:
        return ()
    own = own_rounding(expected.original, expected.inputs, "fp16", limit)
    if not any(own.explains(k, apart) for k in range(len(own.outputs))):
        return ()
    worst = max(one.rel_l2 for one in own.outputs)
    return (
        f"PyTorch in float16 is not the model either (relative L2 {worst:.1e}): --precision fp32",
    )


def _rounding_notes(run: InterpretedRun, where: Mapping[str, str]) -> tuple[str, ...]:
    if run.precision != "fp16":
        return ()
    over = [r for r in run.rounding if r.overflow]
    notes = (
        [f"{run.overflow} values overflow fp16, first in {_named(over[0], where)}"] if over else []
    )
    small = [r for r in run.rounding if r.subnormal]
    if small:
        worst = max(small, key=lambda r: r.subnormal)
        notes.append(
            f"{run.subnormal} values below the normal fp16 range in {len(small)} ops, "
            f"most in {_named(worst, where)} ({worst.subnormal} of {worst.elements})"
        )
    return tuple(notes)


def _named(rounding: Rounding, where: Mapping[str, str]) -> str:
    """Return the op, its value and, if known, the user's line."""
    place = where.get(rounding.value, "")
    return f"{rounding.op} `{rounding.value}`" + (f" at {place}" if place else "")


def _departure(
    package: MilPackage, inputs: dict[str, torch.Tensor], expected: Expected, precision: Precision
) -> tuple[str, ...]:
    departure = None
    if precision == "fp16":
        departure = first_fp16_departure(package, inputs)
    elif expected.program is not None:
        values = _every_value(expected.program, expected.inputs)
        departure = first_departure(package, inputs, values, tolerance=1e-4)
    return (f"first departure: {departure}",) if departure else ()


def _every_value(program: Program, inputs: Inputs) -> dict[str, torch.Tensor]:
    """Return each node's value in the lowered program, under the name that the converter keeps."""
    recorder = _Recorder(program)
    with torch.no_grad():
        recorder.run(*inputs)
    return recorder.values


class _Recorder(fx.Interpreter):
    def __init__(self, program: Program) -> None:
        super().__init__(program.module())
        self.values: dict[str, torch.Tensor] = {}

    def run_node(self, n: Node) -> object:
        result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            self.values[n.name] = result
        return result


BACKEND = CoreML()


def fitted_to(target: Target | None) -> CoreML:
    """Return the backend with fused rules if the target's oldest OS has them, else the default."""
    fuses_norms = target is not None and target.os is not None and target.os.version >= _FUSES
    return CoreML(FUSED) if fuses_norms else BACKEND
