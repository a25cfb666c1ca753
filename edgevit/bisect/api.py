"""`edgevit.bisect`: the first operation where an exported artifact departs from its model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import torch

from edgevit.backends import LIMITS, Artifact, run_here
from edgevit.bisect.apart import Apart, compare
from edgevit.bisect.files import write_files
from edgevit.bisect.result import Bisection, Cause
from edgevit.bisect.search import Writer, find_culprit
from edgevit.bisect.window import Calls
from edgevit.errors import ModelError, UsageError
from edgevit.export import LoweredModel, lowered_model, recorded_job
from edgevit.exported import (
    load_golden,
    read_manifest,
    require_ours,
    require_trusted_model,
    require_untouched,
)
from edgevit.frontend import (
    ExampleInputs,
    Model,
    ModelArguments,
    ModelOptions,
    default_torch,
    require_spec,
)
from edgevit.graph.parity import FP32, distance
from edgevit.graph.program import Inputs, Program
from edgevit.quantize import ImageInput, picture_input, read_picture
from edgevit.support.backend_info import info_of
from edgevit.support.progress import Stages


def bisect(
    directory: str | os.PathLike[str],
    model: Model | None = None,
    example_inputs: ExampleInputs | None = None,
    *,
    image: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    trust: bool = False,
    progress: TextIO | None = None,
) -> Bisection:
    """Find the first operation where an exported artifact departs from its model.

    The model is built again as the folder records it. Beginnings of its graph are written in the same format and run, until
    the shortest that departs is known, and then its shortest end that does so by itself. That end is left as a net of its
    own, with the text of an issue for the runtime's project.

    Args:
        directory: an exported folder, or the result of an export.
        model: the model, where it was exported from Python. None: the folder names it.
        example_inputs: those of the export, if `model` does not state them. None: the golden inputs.
        image: a picture to run on, through the recorded preprocessing. None: the example, and inputs
            of other statistics.
        output: the folder for the minimal net. None: `directory` with `-bisect` behind it.
        trust: build the model of a folder that was not exported by you here, and run its code.
        progress: a stream to report on, such as `sys.stderr`.

    Returns:
        The `Bisection`: `print` shows it. Its `passed` is False if the artifact departs.

    Raises:
        EdgevitError: the folder is damaged, the model is not what was exported, or nothing runs it here.

    Example:
        print(edgevit.bisect("out/net-android"))
    """
    folder, stages = Path(directory), Stages(progress)
    exported = _Exported.opened(folder, trust)
    if model is None:
        require_trusted_model(folder, trust)
        require_spec(exported.manifest["model"])
    with default_torch():
        lowered = exported.lowered(model, example_inputs, stages)
        cases = list(_cases(lowered, image))
        judged = _farthest(exported, lowered, cases, stages)
        if not judged.apart.departs:
            coarse = judged.precision == "fp16" and not LIMITS["fp16"].holds(judged.apart.distance)
            cause = Cause("precision") if coarse and judged.case.is_asked else None
            return replace(judged.bisection(exported), departure=cause)
        departure = _departure(lowered, judged, stages)
        result = replace(judged.bisection(exported), departure=departure)
        if departure.culprit is None:
            return result
        target = Path(output) if output else folder.with_name(f"{folder.resolve().name}-bisect")
        writer = Writer(lowered.backend, lowered.lowering, judged.precision)
        return write_files(result, exported.manifest, writer, target)


@dataclass(frozen=True)
class _Exported:
    """An exported folder in a precision of floats."""

    folder: Path
    manifest: dict[str, Any]
    inputs: Inputs
    outputs: tuple[torch.Tensor, ...]

    @classmethod
    def opened(cls, folder: Path, trust: bool) -> _Exported:
        manifest = read_manifest(folder)
        require_untouched(folder, manifest)
        require_ours(folder, manifest, trust)
        _require_floats(folder, manifest)
        return cls(folder, manifest, *load_golden(folder))

    @property
    def artifact(self) -> Artifact:
        manifest = self.manifest
        path = self.folder / manifest["artifact"]
        return Artifact(manifest["format"], manifest["precision"], path, manifest["versions"])

    def lowered(
        self, model: Model | None, example_inputs: ExampleInputs | None, stages: Stages
    ) -> LoweredModel:
        """Build the model again, and refuse another one than was exported."""
        recorded = self.manifest["model"]
        options = dict(recorded["options"])
        if isinstance(options.get("input_size"), list):
            options["input_size"] = tuple(options["input_size"])
        reshaped = options.get("image_input") or options.get("channels_last")
        if model is not None and example_inputs is None and not reshaped:
            example_inputs = self.inputs
        spec = recorded["spec"] if model is None else model
        arguments = ModelArguments(spec, example_inputs, ModelOptions(**options))
        lowered = lowered_model(arguments, recorded_job(self.manifest), stages)
        if lowered.graph != recorded["graph"]:
            raise _another_model(self.folder, "its graph is another")
        if not _same(self.inputs, lowered.expected.inputs):
            raise _another_model(self.folder, "its example inputs are others")
        if not FP32.holds(distance(self.outputs, lowered.expected.outputs)):
            raise _another_model(self.folder, "it computes something else on the golden inputs: its weights are others")  # fmt: skip
        return lowered


def _require_floats(folder: Path, manifest: Mapping[str, Any]) -> None:
    precision, info = manifest["precision"], info_of(manifest["format"])
    if precision in LIMITS and not info.firmware:
        return
    raise UsageError(
        f"a departure in {precision} is not looked for",
        where=str(folder),
        why="integers depart from the model by design, and are held to their simulation as a whole",
        hint="`edgevit quantize MODEL` shows what they do layer by layer; bisect an export with --precision fp32 or fp16",
    )


def _another_model(folder: Path, why: str) -> ModelError:
    return ModelError(
        "the model is not the one that was exported",
        where=str(folder),
        why=why,
        hint="export it again, and bisect that folder",
    )


def _same(inputs: Inputs, others: Inputs) -> bool:
    return len(inputs) == len(others) and all(map(torch.equal, inputs, others))


@dataclass(frozen=True)
class _Case:
    """Inputs, with what the model computes on them."""

    name: str
    inputs: Inputs
    outputs: tuple[torch.Tensor, ...]
    is_asked: bool = True  # for: not one that only checks more


def _cases(lowered: LoweredModel, image: str | os.PathLike[str] | None) -> Iterator[_Case]:
    expected = lowered.expected
    if image is not None:
        inputs = _picture(lowered, Path(image))
        yield _Case(Path(image).name, inputs, lowered.run(inputs))
        return
    yield _Case("the example", expected.inputs, expected.outputs)
    for other in expected.others:
        yield _Case(f"inputs {other.name}", other.inputs, other.outputs, False)


def _picture(lowered: LoweredModel, path: Path) -> Inputs:
    request, inputs = lowered.lowering, lowered.expected.inputs
    takes = ImageInput(request.source.preprocess, request.image_input, request.channels_last)
    sizes, how = picture_input(inputs, takes, str(path))
    picture = read_picture(path, sizes, takes, how)
    return (picture.repeat(inputs[0].shape[0], *[1] * (picture.ndim - 1)),)


@dataclass(frozen=True)
class _Judged:
    """The case in which an artifact is the farthest from the model, or the first in which it departs."""

    case: _Case
    precision: str
    apart: Apart
    names: tuple[str, ...]

    def bisection(self, exported: _Exported) -> Bisection:
        output, artifact = self.names[self.apart.output], exported.artifact.path
        return Bisection(exported.folder, artifact, self.precision, self.case.name, output, self.apart)  # fmt: skip


def _farthest(
    exported: _Exported, lowered: LoweredModel, cases: list[_Case], stages: Stages
) -> _Judged:
    """Run the artifact, and where its export departed in full precision alone, that too."""
    manifest = exported.manifest
    failed = {one["precision"] for one in manifest["parity"] if not one["passed"]}
    program, names = _program(lowered), _program(lowered).output_names
    run, own = run_here(exported.artifact), manifest["precision"]
    worst: _Judged | None = None
    whole = Writer(lowered.backend, lowered.lowering, "fp32")
    precisions: list[str] = [own, "fp32"] if own != "fp32" and "fp32" in failed else [own]
    for precision in precisions:
        for case in cases:
            with stages.stage("run", f"run it in {precision} on {case.name}"):
                here = replace(program, inputs=case.inputs)
                actual = run(case.inputs) if precision == own else whole.run(here)
            apart = compare(here, actual, precision, case.outputs)
            judged = _Judged(case, precision, apart, names)
            if apart.departs:
                return judged
            explained = apart.rounding is not None and not case.is_asked
            if worst is None or (
                not explained and apart.distance.rel_l2 > worst.apart.distance.rel_l2
            ):
                worst = judged
    assert worst is not None
    return worst


def _departure(lowered: LoweredModel, judged: _Judged, stages: Stages) -> Cause:
    case = judged.case
    captured = lowered.expected.original
    assert captured is not None
    for name, program in (("", captured), *lowered.steps):
        here = replace(program, inputs=case.inputs)
        if compare(here, here.run(case.inputs), "fp32", case.outputs).departs:
            return Cause("rule", name) if name else Cause("capture")
    writer = Writer(lowered.backend, lowered.lowering, judged.precision)
    calls = Calls(_program(lowered), case.inputs)
    with stages.stage("search", f"search {len(calls.nodes)} calls"):
        if not writer.apart(calls.program).departs:
            return Cause("artifact")
        culprit = find_culprit(writer, calls, stages)
    return Cause("call", culprit=culprit)


def _program(lowered: LoweredModel) -> Program:
    assert lowered.expected.program is not None
    return lowered.expected.program
