"""`edgevit.split.export_split`: a model cut for several devices in a row, each part an artifact."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from edgevit.errors import ParityError, UsageError
from edgevit.export import ExportResult, export_part
from edgevit.exported import artifact_bytes
from edgevit.frontend import ModelSource, build_source, capture
from edgevit.graph.cuts import GraphPart, cut, value_names
from edgevit.graph.parity import distance
from edgevit.graph.program import Inputs, Program
from edgevit.quantize import CalibrationOptions, ImageInput, load_calibration
from edgevit.split import runtime
from edgevit.split.place import CutPoint, Wire, choose, macs_of_parts, predicted, stages
from edgevit.support.backend_info import BACKENDS
from edgevit.support.progress import Stages
from edgevit.targets import Target, load_target

PLAN, HOST = "split.json", "run_split.py"
LINKS = ("int8", "float32")
# Of the files on an int8 link to the model's parts on the same link: some values fall on the next step.
_ROUNDED = 2e-2
_EXACT = 1e-2  # with float16 parts too; each part alone is held to its own limit


@dataclass(frozen=True)
class Split:
    """Exported parts. `directory` has a folder for each, the plan and the runtime."""

    directory: Path
    parts: tuple[ExportResult, ...]
    plan: dict[str, Any]

    def __str__(self) -> str:
        rows = [f"{self.plan['model']}: {len(self.parts)} parts, {self.plan['link']} between them"]
        for number, part in enumerate(self.plan["parts"], 1):
            rows.append(
                f"  part {number}     {part['target']}, {part['format']}, {part['bytes']:,} bytes, {part['macs'] / 1e6:.1f} M MACs"
                + (
                    f", sends {part['sent']:,} bytes behind {part['behind']}"
                    if part["sent"]
                    else ""
                )
            )
        guess = self.plan["predicted"]
        return "\n".join([
            *rows,
            f"  predicted  {guess['latency_ms']:.1f} ms an input, {guess['inputs_per_second']:.1f} inputs a second",
            f"  verified   relative L2 {self.plan['parity']['to_model']:.2e} to the whole model on the example inputs",
            f"  in         {self.directory}: {HOST} serves and runs it",
        ])  # fmt: skip


def export_split(
    model: Any,
    example_inputs: Any = None,
    *,
    targets: Sequence[str],
    output: str | Path,
    formats: Sequence[str] | None = None,
    rates: Sequence[float] | None = None,
    link: str = "int8",
    link_rate: float = 10e6,
    link_delay: float = 1e-3,
    calibrate: str | None = None,
    progress: TextIO | None = None,
    **options: Any,
) -> Split:
    """Cut a model for devices in a row, export each part, and verify them in a row.

    Args:
        model, example_inputs: as for `edgevit.export`.
        targets: the devices, in the order of the parts: two or more.
        output: a folder; each part gets one in it.
        formats: of the parts, in their order. None: each device's first that the runtime opens.
        rates: multiply-accumulates a second of each device, as `edgevit profile` measures them. None: equal.
        link: `"int8"`, each value with the range it has, or `"float32"`.
        link_rate, link_delay: bytes a second, and seconds a message, of the links.
        calibrate: pictures or arrays to find the ranges of firmware on. None: generated ones.
        options: the model's: `weights`, `input_size` and so on, as for `edgevit.export`.

    Returns:
        The `Split`: `print` shows it.

    Raises:
        EdgevitError: the model cannot be cut, a device has no format that the runtime opens, or an export fails.
    """
    devices = [load_target(target) for target in targets]
    rates = _rates(rates, len(devices))
    formats = _formats(devices, formats)
    if link not in LINKS:
        raise UsageError(
            f"no link is called `{link[:40]}`", where="--link", hint=" or ".join(LINKS)
        )
    source = build_source(model, example_inputs, **options)
    program = capture(source)
    wire = Wire(link_rate, link_delay, 1 if link == "int8" else 4)
    cuts = choose(program, rates, wire)
    parts = _parts(program, cuts)
    directory = Path(output)
    samples = _samples(program, source, parts, formats, calibrate)
    results = [
        export_part(
            part, source, device.name, format, directory / f"part_{number}", progress,
            inputs if BACKENDS[format].device else (),
        )
        for number, (part, device, format, inputs) in enumerate(
            zip(parts, devices, formats, samples, strict=True), 1
        )
    ]  # fmt: skip
    counts, names = macs_of_parts(program, cuts), value_names(program)
    plan: dict[str, Any] = {
        "model": source.name,
        "link": link,
        "inputs": list(program.input_names),
        "outputs": [names[node] for node in program.outputs()],
        "parts": [
            _facts(part, result, device, format, count, place)
            for part, result, device, format, count, place in zip(
                parts, results, devices, formats, counts, (*cuts, None), strict=True
            )
        ],
        "predicted": predicted(counts, cuts, rates, wire),
    }
    _write_runtime(directory, formats)
    _write_devices(directory, results, plan)
    _write_plan(directory, plan)
    with Stages(progress).stage("split", "run the parts in a row"):
        plan["parity"] = _verified(directory, program, parts, plan)
    _write_plan(directory, plan)
    return Split(directory, tuple(results), plan)


def _formats(devices: Sequence[Target], formats: Sequence[str] | None) -> list[str]:
    if formats is not None and len(formats) != len(devices):
        raise UsageError(
            f"{len(formats)} formats for {len(devices)} devices",
            where="--format",
            hint="name one for each of --targets, in their order, or none",
        )
    return [
        _format(device, (device.format(asked),) if asked else device.formats)
        for device, asked in zip(devices, formats or [""] * len(devices), strict=True)
    ]


def _format(device: Target, formats: Sequence[str]) -> str:
    for format in formats:
        info = BACKENDS[format]
        if (info.part_session and info.session) or info.device:
            return format
    raise UsageError(
        f"no part can run on {device.title}",
        where="--targets",
        why=f"the runtime of a split model does not open {' or '.join(formats)}",
        hint="name a phone, a Linux board, a computer or a microcontroller",
    )


def _rates(rates: Sequence[float] | None, count: int) -> list[float]:
    if count < 2:
        raise UsageError(
            "a split needs two devices or more", where="--targets", hint="--targets A,B"
        )
    rates = [1e9] * count if rates is None else list(rates)
    if len(rates) != count or min(rates) <= 0:
        raise UsageError(
            f"{len(rates)} rates for {count} devices",
            where="--rates",
            hint="a number above zero for each of --targets, in their order",
        )
    return rates


def _parts(program: Program, cuts: Sequence[CutPoint]) -> tuple[GraphPart, ...]:
    own = stages(program, cuts)
    last = len(cuts)
    asked = [
        [node for node in program.outputs() if own.get(node, last) == number]
        for number in range(last + 1)
    ]
    return cut(program, own, asked, "Part")


def _facts(
    part: GraphPart,
    result: ExportResult,
    device: Target,
    format: str,
    macs: int,
    behind: CutPoint | None,
) -> dict[str, Any]:
    with torch.no_grad():
        outputs = part.module(*part.examples)
    return {
        "file": f"{result.directory.name}/{result.artifact.name}",
        "target": device.name,
        "format": format,
        "bytes": artifact_bytes(result.manifest),
        "macs": macs,
        "inputs": list(part.inputs),
        "input_shapes": [list(x.shape) for x in part.examples],
        "outputs": list(part.outputs),
        "output_shapes": [list(y.shape) for y in outputs],
        "sent": behind.sent if behind else 0,
        "behind": behind.line if behind else "",
    }


def _write_plan(directory: Path, plan: dict[str, Any]) -> None:
    (directory / PLAN).write_text(json.dumps(plan, indent=1) + "\n")


def _samples(
    program: Program,
    source: ModelSource,
    parts: Sequence[GraphPart],
    formats: Sequence[str],
    calibrate: str | None,
) -> list[Sequence[Inputs]]:
    """Return what each part reads for calibration inputs of the whole model; nothing where no part is firmware."""
    if not any(BACKENDS[format].device for format in formats):
        return [()] * len(parts)
    image_input = ImageInput(source.preprocess, source.takes_pixels, False)
    whole = load_calibration(program, CalibrationOptions(calibrate), image_input).inputs
    columns: list[list[Inputs]] = [[] for _ in parts]
    for inputs in whole:
        values = dict(zip(program.input_names, inputs, strict=True))
        for part, column in zip(parts, columns, strict=True):
            column.append(tuple(values[name] for name in part.inputs))
            with torch.no_grad():
                values.update(zip(part.outputs, part.module(*column[-1]), strict=True))
    return list(columns)


def _write_devices(directory: Path, results: Sequence[ExportResult], plan: dict[str, Any]) -> None:
    """Write the programs of parts that are firmware, and how values go over their links."""
    for number, (result, part) in enumerate(zip(results, plan["parts"], strict=True), 1):
        place = BACKENDS[part["format"]].device
        if place is not None:
            device = BACKENDS[part["format"]].part(place)
            device.write(result.directory, directory / f"device_{number}")
            part["wire"] = device.wire(result.directory)


def _write_runtime(directory: Path, formats: Sequence[str]) -> None:
    shutil.copyfile(runtime.__file__, directory / HOST)
    for format in dict.fromkeys(formats):
        info = BACKENDS[format]
        session = (
            info.part(info.device).session if info.device else info.part(str(info.part_session))
        )
        (directory / f"session_{format}.py").write_text(f"THREADS = 1\n{session}")


def _verified(
    directory: Path, program: Program, parts: Sequence[GraphPart], plan: dict[str, Any]
) -> dict[str, float]:
    """Run the files in a row on the example inputs, and the parts of the model on the same links."""
    arrays = [x.numpy() for x in program.inputs]
    outputs = [torch.from_numpy(np.array(y)) for y in runtime.Row(directory)(*arrays)]
    simulated = _simulated(parts, plan, arrays)
    near = distance(simulated, outputs).rel_l2
    limit = _ROUNDED if plan["link"] == "int8" else _EXACT
    if not near <= limit:
        raise ParityError(
            "the parts in a row do not compute what the model's parts do",
            where=str(directory),
            why=f"relative L2 {near:.2e}, the limit is {limit:.0e}",
            hint="--link float32 shows whether the links are the reason",
        )
    return {"to_simulation": near, "to_model": distance(program.run(), outputs).rel_l2}


def _simulated(
    parts: Sequence[GraphPart], plan: dict[str, Any], arrays: Sequence[np.ndarray]
) -> list[torch.Tensor]:
    values = {n: runtime.packed(x, "float32") for n, x in zip(plan["inputs"], arrays, strict=True)}
    for part, facts in zip(parts, plan["parts"], strict=True):
        outputs = runtime.computed(
            _torch_run(part), facts, plan, [values[name] for name in facts["inputs"]]
        )
        values.update(zip(facts["outputs"], outputs, strict=True))
    return [torch.from_numpy(runtime.unpacked(*values[name])) for name in plan["outputs"]]


def _torch_run(part: GraphPart) -> Callable[..., list[np.ndarray]]:
    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            outputs = part.module(*(torch.from_numpy(np.array(a)) for a in arrays))
        return [y.numpy() for y in outputs]

    return run
