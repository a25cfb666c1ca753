"""Microcontroller backend for the pipeline: quantise, plan, write C, run on an emulated core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import torch

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.execution import Execution
from edgevit.backends.mcu.board.weights import weights_form
from edgevit.backends.mcu.board.write import CALLS, write_board
from edgevit.backends.mcu.bundle import FIRMWARE, Bundle, read_bundle, write_bundle
from edgevit.backends.mcu.codegen.early_exit import require_exits
from edgevit.backends.mcu.cores import core_of
from edgevit.backends.mcu.gate import judged, judged_example
from edgevit.backends.mcu.memory_fit import (
    MemoryEstimate,
    estimate,
    planned_for,
    require_fit,
)
from edgevit.backends.mcu.noisiest import noisiest
from edgevit.backends.mcu.options import OPTIONS
from edgevit.backends.mcu.residual import judged_integers
from edgevit.backends.mcu.rules import RULES
from edgevit.backends.mcu.run.execute import execute
from edgevit.backends.mcu.schedule.plan import plan_text
from edgevit.backends.mcu.schedule.verifier import verify_plan
from edgevit.backends.mcu.sparsity import bytes_saved, sparsity_note
from edgevit.errors import MissingToolError, UsageError
from edgevit.graph.parity import SAME, UNKNOWN, Limit, Parity
from edgevit.graph.program import Inputs, Program
from edgevit.integer import IntegerGraph, calls_of, integer_text, outputs_of, rewritten
from edgevit.quantize import Outputs
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form

EXACT = Limit(max_rel_l2=0.0)


@dataclass(frozen=True)
class Microcontroller:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = ()

    def lower(self, request: Lowering) -> Artifact:
        core = core_of(request.target)
        if OPTIONS.of(request.options).exits:
            require_exits(request.program)
            _refuse_states(request)
        request.progress("quantize")
        integers = judged_integers(request)
        quantization = integers.quantized
        graph = rewritten(quantization.graph)
        request.progress("plan")
        plan = planned_for(request, graph)
        verify_plan(plan)
        require_fit(request, graph, plan)
        weights = weights_form(OPTIONS.of(request.options).weights_as, request.target)
        emitted = write_bundle(
            request.directory, graph, quantization.inputs, quantization.outputs, core, plan, weights,
            OPTIONS.of(request.options).exits,
        )  # fmt: skip
        tensors = [tensor.numpy() for tensor in request.source.inputs]
        example = [port.quantized(x) for port, x in zip(quantization.inputs, tensors, strict=True)]
        golden = [graph.passed(example)] * (CALLS if graph.states else 1)
        folder = request.directory / FIRMWARE
        board = write_board(folder, emitted, golden, request.target, core, weights)
        (request.directory / "graph.txt").write_text(integer_text(graph))
        (request.directory / "plan.txt").write_text(plan_text(plan))
        (request.directory / "quantization.txt").write_text(quantization.report.text(10**6) + "\n")
        lost = quantization.report.lost_at
        details = {
            "core": core.name,
            "arena_bytes": plan.size,
            "constant_bytes": graph.constant_bytes() - bytes_saved(graph, plan.cards),
            "macs": graph.macs(),
            "kernels": list(emitted.kernels),
            "board": board.as_dict(),
            **({"states": _states(graph, request.program)} if graph.states else {}),
            "quantization": {
                "options": vars(quantization.options),
                "calibration": _calibrated_on(request),
                "worst": [value.as_dict() for value in quantization.report.worst[:10]],
                "lost_at": lost.as_dict() if lost else None,
            },
        }
        versions = {name: version(name) for name in ("numpy",)}
        return Artifact(
            "mcu",
            "int8",
            request.directory / FIRMWARE,
            versions,
            tuple(note for note in (integers.note, sparsity_note(graph, plan.cards)) if note),
            held_out=integers.held_out,
            details={"firmware": details},
        )

    def estimate(self, request: Lowering) -> MemoryEstimate:
        return estimate(request)

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        bundle = read_bundle(artifact.path.parent)
        told = artifact.details.get("firmware")
        written = _computed(bundle, [run.inputs for run in expected.held_out])
        example = judged_example(expected.outputs, _computed_from(bundle, expected.inputs))
        verdicts = (*judged(expected.held_out, written, bundle.outputs), example)
        if not all(verdict.passed for verdict in verdicts):
            first = verdicts[0]
            verdicts = (replace(first, notes=(*first.notes, *noisiest(told))), *verdicts[1:])
        inputs = bundle.quantized([tensor.numpy() for tensor in expected.inputs])
        return (*verdicts, _on_core(bundle, inputs, told))


def _refuse_states(request: Lowering) -> None:
    if OPTIONS.of(request.options).state:
        raise UsageError(
            "a model with states has no calls that stop early",
            where="--state, --exits",
            why="the next states of the exits that are left out would be missing",
            hint="leave one of them out",
        )


def _states(graph: IntegerGraph, program: Program) -> list[dict[str, object]]:
    return [
        {"input": program.input_names[k], "output": program.output_names[j], "bytes": graph.inputs[k].bytes}
        for k, j in graph.states
    ]  # fmt: skip


def _computed(bundle: Bundle, runs: Sequence[Inputs]) -> list[Outputs]:
    """Compute what the integers of the folder give for real inputs, one call after the other."""
    graph = bundle.graph
    calls = [graph.passed(bundle.quantized([x.numpy() for x in inputs])) for inputs in runs]
    return [_real(bundle, outputs) for outputs in calls_of(graph, calls)]


def _computed_from(bundle: Bundle, inputs: Inputs) -> Outputs:
    """Compute a single call, from the states that the inputs have."""
    integers = bundle.quantized([tensor.numpy() for tensor in inputs])
    return _real(bundle, outputs_of(bundle.graph, integers))


def _real(bundle: Bundle, integers: Sequence[np.ndarray]) -> Outputs:
    return tuple(torch.from_numpy(y) for y in bundle.dequantized(integers))


def _calibrated_on(request: Lowering) -> str:
    return request.calibration.calibrate or "generated"


def _on_core(bundle: Bundle, inputs: tuple[np.ndarray, ...], told: object) -> Parity:
    """Run the firmware on an emulated core and compare its outputs bit for bit.

    Its cost is added to the details of an export.
    """
    exact = Parity("firmware", "int8", SAME, EXACT)
    try:
        ran = execute(bundle.folder, bundle.graph, bundle.emitted(), inputs, bundle.core)
    except MissingToolError as error:
        return replace(exact, distance=UNKNOWN, unchecked=(f"{error.message}: {error.hint}",))
    if isinstance(told, dict):
        told["execution"] = ran.as_dict()
    note = _told(ran)
    return replace(exact, distance=SAME if ran.golden_match else UNKNOWN, notes=(note,))


def _told(ran: Execution) -> str:
    memory = ran.memory
    return (
        f"emulated {ran.core}: {ran.instructions:,} instructions, RAM {memory.ram:,} bytes "
        f"(arena {memory.arena:,}, stack {memory.stack:,}), flash {memory.flash:,}"
    )


BACKEND = Microcontroller()
