"""`edgevit.exits.export_exits`: a model with early exits as artifacts that a host runs until one is sure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from edgevit.backends import functions_of
from edgevit.errors import UsageError
from edgevit.evaluate import EvaluationOptions, LabelledTest, Takes, outputs_of
from edgevit.exits.firmware import export_firmware
from edgevit.exits.host import exit_formats, host_code
from edgevit.exits.one_file import join
from edgevit.exits.parts import exit_parts
from edgevit.exits.thresholds import Thresholds, choose_thresholds
from edgevit.export import ExportResult, export_part
from edgevit.exported import artifact_bytes
from edgevit.frontend import ModelSource, build_source, capture
from edgevit.graph.cost import stats
from edgevit.graph.cuts import GraphPart
from edgevit.graph.program import Program
from edgevit.quantize import ImageInput
from edgevit.support.backend_info import BACKENDS
from edgevit.support.progress import Stages
from edgevit.targets import load_target

PLAN, HOST = "exits.json", "run_exits.py"


@dataclass(frozen=True)
class Exits:
    """Exported parts and their thresholds. `directory` holds a folder for each part, the plan and host code."""

    directory: Path
    parts: tuple[ExportResult, ...]
    thresholds: Thresholds
    plan: dict[str, Any]

    def __str__(self) -> str:
        chosen, parts = self.thresholds, self.plan["parts"]
        unit = "instructions" if "instructions" in parts[0] else "bytes"
        of = "instructions" if unit == "instructions" else "multiply-accumulates"
        rows = [
            f"{self.plan['model']}: {len(parts)} exits as {self.plan['format']}",
            *(
                f"  exit {number}     {share:6.1%} of the samples leave, {part[unit]:,} {unit}, threshold {part['threshold']:.4f}"
                for number, (part, share) in enumerate(zip(parts, chosen.shares, strict=True), 1)
            ),
            f"  accuracy   top-1 {chosen.top1:.2f} %, of the last exit alone {chosen.last_top1:.2f} %",
            f"  cost       x{chosen.cost:.3f} of the {of}, on average",
            f"  in         {self.directory}: {self.plan.get('header', HOST)} {'has the thresholds' if 'header' in self.plan else 'runs it'}",
        ]
        return "\n".join(rows)


def export_exits(
    model: Any,
    example_inputs: Any = None,
    *,
    target: str,
    data: str | Path,
    output: str | Path,
    format: str | None = None,
    max_drop: float = 0.5,
    count: int | None = None,
    progress: TextIO | None = None,
    **options: Any,
) -> Exits:
    """Export a classifier that returns the logits of its exits, the last one last.

    Args:
        model, example_inputs: as for `edgevit.export`; `forward` returns a list or tuple of logits.
        target: the device.
        data: labelled data, which the model was not trained on: thresholds are chosen on it.
        output: a folder; each exit gets one in it.
        format: of the parts. None: the first of the target's that there is host code for.
        max_drop: points of top-1 that may be lost on the last exit's, on the data.
        count: samples of the data, drawn evenly.
        options: the model's: `weights`, `input_size` and so on, as for `edgevit.export`.

    Returns:
        The `Exits`: `print` shows it.

    Raises:
        EdgevitError: the model has no exits, the data does not fit it, or an export fails.
    """
    format = _format(target, format)
    stages, directory = Stages(progress), Path(output)
    if options.get("head", "native") != "native":
        raise UsageError(
            "a classifier with several exits has no head to split off",
            where="--head",
            why="each part of it ends in logits",
            hint="--head native",
        )
    is_firmware = BACKENDS[format].early is not None
    pixels = options.pop("image_input", None)
    pixels = False if pixels is None and not is_firmware else pixels
    source = build_source(model, example_inputs, image_input=pixels, **options)
    program = capture(source)
    _require_exits(program)
    image_input = ImageInput(
        source.preprocess, source.takes_pixels, bool(options.get("channels_last"))
    )
    test = _labelled(program, source, image_input, str(data), count)
    plan: dict[str, Any] = {"model": source.name, "format": format}
    if is_firmware:
        options["image_input"] = source.takes_pixels
        exits = export_firmware(
            model, example_inputs, test, target, format, directory, max_drop, progress, options
        )
        plan |= exits.plan
        plan["expected"]["data"] = str(data)
        (directory / PLAN).write_text(json.dumps(plan, indent=1) + "\n")
        return Exits(directory, (exits.result,), exits.thresholds, plan)
    labels, logits = _logits(program, test, stages)
    parts = exit_parts(program)
    costs = _costs(parts)
    thresholds = choose_thresholds(logits, labels, costs, max_drop)
    results = [
        export_part(part, source, target, format, directory / f"exit_{number}", progress)
        for number, part in enumerate(parts, 1)
    ]
    facts = _part_facts(program, parts, results, costs, thresholds)
    size = sum(fact["bytes"] for fact in facts)
    functions = functions_of(format, load_target(target))
    if functions and functions.join:
        with stages.stage("join", "make them functions of one file"):
            path = directory / f"{source.name}{BACKENDS[format].suffix}"
            one = join(functions, parts, results, path)
        size = one.bytes
        facts = [fact | placed for fact, placed in zip(facts, one.places, strict=True)]
    plan |= {
        "inputs": list(program.input_names),
        "shapes": [list(x.shape) for x in program.inputs],
        "bytes": size,
        "parts": facts,
        "expected": {
            "top1": thresholds.top1,
            "top1_of_last": thresholds.last_top1,
            "macs": thresholds.cost,
            "data": str(data),
            "samples": len(labels),
        },
    }
    (directory / PLAN).write_text(json.dumps(plan, indent=1) + "\n")
    (directory / HOST).write_text(host_code(format))
    return Exits(directory, tuple(results), thresholds, plan)


def _format(target: str, format: str | None) -> str:
    device, possible = load_target(target), exit_formats()
    first = next((f for f in device.formats if f in possible), None)
    chosen = device.format(format) if format else first
    if chosen not in possible:
        raise UsageError(
            f"exits are not written as {chosen or ', '.join(device.formats)}",
            where="--format",
            why="there is no host code for it that stops early",
            hint=f"--format {' or '.join(possible)}, on a target that takes it",
        )
    return chosen


def _part_facts(
    program: Program,
    parts: Sequence[GraphPart],
    results: Sequence[ExportResult],
    costs: Sequence[float],
    thresholds: Thresholds,
) -> list[dict[str, Any]]:
    values = (*thresholds.values, 0.0)  # the last exit takes all that is left
    return [
        {
            "file": f"{result.directory.name}/{result.artifact.name}",
            "function": None,
            "bytes": artifact_bytes(result.manifest),
            "inputs": list(part.inputs),
            "outputs": list(part.outputs),
            "threshold": value,
            "share": share,
            "macs": int(cost),
        }
        for part, result, value, share, cost in zip(
            parts, results, values, thresholds.shares, costs, strict=True
        )
    ]


def _require_exits(program: Program) -> None:
    shapes = [tuple(node.meta["val"].shape) for node in program.outputs()]
    if len(shapes) < 2 or len(set(shapes)) > 1 or len(shapes[0]) != 2 or shapes[0][0] != 1:
        listed = ", ".join("x".join(map(str, shape)) for shape in shapes)
        raise UsageError(
            "the model has no exits",
            where="its outputs",
            why=f"it returns {listed}",
            hint="let `forward` return the logits of every exit, 1 x classes each, the last one last",
        )


def _labelled(
    program: Program, source: ModelSource, image_input: ImageInput, data: str, count: int | None
) -> LabelledTest:
    takes, options = Takes(source.inputs, image_input), EvaluationOptions(data, count)
    return LabelledTest.opened(options, takes, source.labels, program.run())


def _logits(
    program: Program, test: LabelledTest, stages: Stages
) -> tuple[np.ndarray, Sequence[np.ndarray]]:
    with stages.stage("exits", f"run every exit on {len(test.data)} samples"):
        return test.numbers.numbers, outputs_of(program.run, test.data, 1, stages.note)


def _costs(parts: Sequence[GraphPart]) -> list[float]:
    return [float(stats(capture(build_source(part.module, part.examples))).macs) for part in parts]
