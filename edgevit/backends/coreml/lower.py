"""Lowering of a program to a Core ML package, and to one at full precision to check it by.

Inputs and outputs are float32 (int32 for integers) at either precision, so that the `MLMultiArray`
code of an app does not change with `--precision`; an fp16 package casts at its border.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from edgevit.backends.artifact import Artifact
from edgevit.backends.coreml.check import load_package
from edgevit.backends.coreml.composite import expand_composites
from edgevit.backends.coreml.constants import stored
from edgevit.backends.coreml.forecast import forecast
from edgevit.backends.coreml.metadata import versions
from edgevit.backends.coreml.names import feature_names
from edgevit.backends.coreml.package import Package, deployment_target
from edgevit.backends.coreml.packed import pack
from edgevit.backends.coreml.passes import FULL_PRECISION, HALF_PRECISION, ONLY_FULL_PRECISION
from edgevit.backends.coreml.sparse import store_without_zeros
from edgevit.backends.coreml.supported import (
    is_taken,
    require_one_float,
    require_picture,
    require_supported,
)
from edgevit.backends.coreml.tool import coremltools
from edgevit.backends.coreml.wide_inputs import NARROW, with_wide_inputs
from edgevit.frontend import ModelSource
from edgevit.graph.program import Program
from edgevit.quantize import RoundedWeight
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.lower_rank import LowerRank
from edgevit.rewrites.layout.lower_rank.rule import is_of_many_axes
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes


def lower(
    program: Program,
    source: ModelSource,
    *,
    minimum_os: str,
    precision: str,
    directory: Path,
    image_input: bool = False,
    notes: tuple[str, ...] = (),
    weights: Collection[RoundedWeight] = (),
    in_fp32: Collection[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    """Write `directory/<name>.mlpackage`.

    Its floats are fp16 unless `precision` is fp32; then `<name>.fp32.mlpackage` is written too, to
    be checked and thrown away.

    `weights` are those that the program holds as floats and the package as integers or tables.
    `in_fp32` are the operations that stay at full precision, by their names in the fp32 package.

    With `image_input` the package takes an RGB picture: `program` must take pixels 0..255, as it
    does when it was captured from `frontend.pixels.takes_pixels(source)`.
    """
    tools = versions(coremltools())
    deployment_target(minimum_os)
    if image_input:
        require_picture(program)
    widened = with_wide_inputs(program)
    named = _with_feature_names(_of_few_axes(expand_composites(widened, is_taken)))
    require_supported(named)
    if precision == "fp32":
        require_one_float(named)
    package = Package(named, source, minimum_os, image_input)
    path, reference = directory / f"{program.name}.mlpackage", None
    with _untouched_old_garbage():
        progress("convert")
        mil = package.convert(FULL_PRECISION)
        if precision == "fp32":
            package.run_passes(mil, ONLY_FULL_PRECISION)
        else:
            progress("save at full precision")
            reference = directory / f"{program.name}.fp32.mlpackage"
            package.save(mil, reference, tools)
            progress("convert to fp16")
            package.run_passes(mil, HALF_PRECISION, in_fp32)
        left_in_floats = pack(mil, weights)
        sparse = store_without_zeros(mil)
        progress("save")
        package.save(mil, path, tools)
    if left_in_floats:
        notes = (*notes, f"{left_in_floats} of {len(weights)} weights are floats in the package")
    if sparse:
        notes = (*notes, f"{sparse} weights are stored without their zeros")
    details: dict[str, object] = {
        "minimum_os": minimum_os,
        "inputs": list(named.input_names),
        "outputs": list(named.output_names),
        "image_input": image_input,
    }
    return Artifact(
        "coreml",
        precision,
        path,
        tools,
        (*notes, *_notes(program, named)),
        reference,
        placement=forecast(load_package(path), named),
        stored=stored(path),
        details=details,
    )


def _of_few_axes(program: Program) -> Program:
    """Lower the rank of what the definitions of composites have made: a stack of a stack of slices."""
    if any(map(is_of_many_axes, program.calls())):
        for rule in (LowerRank(), MergeReshapes()):
            program = apply(rule, program)[0]
    return program


def _with_feature_names(program: Program) -> Program:
    inputs = feature_names(program.input_names)
    return replace(
        program, input_names=inputs, output_names=feature_names(program.output_names, taken=inputs)
    )


def _notes(program: Program, named: Program) -> tuple[str, ...]:
    """Return notes on what differs from the model: names, int32 inputs, scalar inputs."""
    before, after = (
        program.input_names + program.output_names,
        named.input_names + named.output_names,
    )
    renamed = [
        f"`{old}` is called `{new}`" for old, new in zip(before, after, strict=True) if old != new
    ]
    narrowed = [
        f"input `{name}` is int32 in the package ({str(tensor.dtype).removeprefix('torch.')} in the model)"
        for name, tensor in zip(named.input_names, program.inputs, strict=True)
        if tensor.dtype in {torch.int64, torch.bool, *NARROW}
    ]
    scalars = [
        f"input `{name}` is an array of one value in the package (a scalar in the model)"
        for name, tensor in zip(named.input_names, named.inputs, strict=True)
        if tensor.ndim == 0
    ]
    return (*renamed, *narrowed, *scalars)


@contextmanager
def _untouched_old_garbage() -> Iterator[None]:
    """Exclude the objects alive now from garbage collection.

    coremltools makes millions of small objects, and torch's own hundreds of thousands would be
    traversed each time, which is a fifth of the whole conversion.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
