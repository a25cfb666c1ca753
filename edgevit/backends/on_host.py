"""Check by the runtime on this machine: run the artifact from disk, compare with the model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from edgevit.backends.api import Expected
from edgevit.backends.artifact import Artifact
from edgevit.backends.judged import judged
from edgevit.backends.own_rounding import rounding_notes
from edgevit.backends.session import TensorSpec
from edgevit.backends.worker import Worker
from edgevit.errors import PackageError
from edgevit.graph.parity import FP16, FP32, RUNTIME, TWIN, Limit, Parity
from edgevit.graph.program import Inputs
from edgevit.graph.ranking import compared
from edgevit.quantize import file_parity

Run: TypeAlias = Callable[[Inputs], tuple[torch.Tensor, ...]]
LIMITS = {"fp32": FP32, "fp16": FP16}


@functools.cache
def worker_for(format: str) -> Worker:
    """Return this process's worker for the format, cached.

    Loading a runtime takes longer than most checks.
    """
    return Worker(format)


def over_tensors(run: Callable[[list[Any]], Sequence[Any]]) -> Run:
    """Return a run over arrays as one over tensors."""
    return lambda inputs: tuple(
        torch.from_numpy(np.array(array)) for array in run([x.contiguous().numpy() for x in inputs])
    )


def in_runtime(artifact: Artifact) -> Run:
    """Open the artifact, or its twin for this machine, in its runtime."""
    worker = worker_for(artifact.format)
    path = artifact.reference or artifact.path
    worker.open(path)
    return over_tensors(lambda arrays: worker.run(fitted(worker.inputs, arrays, str(path))))


def check_on_host(artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
    stage = RUNTIME if artifact.reference is None else TWIN
    return check_run(
        in_runtime(artifact), artifact, expected, stage, LIMITS.get(artifact.precision)
    )


def check_run(
    run: Run, artifact: Artifact, expected: Expected, stage: str, limit: Limit | None
) -> tuple[Parity, ...]:
    """Compare an artifact that is opened in a runtime. `limit` is of a precision in floats."""
    path = artifact.reference or artifact.path
    outputs = run(expected.inputs)
    if len(outputs) != len(expected.outputs):
        raise PackageError(
            f"{path.name} gives {len(outputs)} outputs, the model has {len(expected.outputs)}",
            where=str(path),
            hint="this is not the artifact that was exported here; export it again",
        )
    precision = artifact.precision
    if expected.held_out:
        written = [run(one.inputs) for one in expected.held_out]
        return (file_parity(expected.held_out, written, precision, stage),)
    if limit is None:
        return ()  # part of a model, looked at for what fails: nothing to hold its integers to
    apart, notes = compared(expected.outputs, outputs, expected.rankings, limit)
    allowed = expected.limit(limit, apart, precision)
    parity = Parity(
        stage, precision, apart, allowed, notes=(*notes, *rounding_notes(limit, allowed))
    )
    if not parity.passed:
        return (parity,)
    return (
        parity,
        *judged(run, expected.others, expected.program, precision, limit, expected.original),
    )


def program_parity(expected: Expected) -> Parity:
    """Compare the program that is to be lowered with the model, on the example."""
    assert expected.program is not None
    example = expected.inputs is expected.program.inputs  # whose outputs the rules have compared
    outputs = expected.program.run(None if example else expected.inputs)
    rankings = expected.rankings
    apart, notes = compared(expected.outputs, outputs, rankings, FP32)
    limit = expected.limit(FP32, apart, "fp32")
    return Parity("rewritten", "fp32", apart, limit, notes=(*notes, *rounding_notes(FP32, limit)))


def fitted(
    declared: Sequence[TensorSpec], arrays: Sequence[np.ndarray], path: str
) -> list[np.ndarray]:
    """Return the arrays in the dtypes that the artifact declares.

    Refuse an artifact that declares another number of inputs, other shapes, or other types. int64
    is accepted as int32, because most runtimes narrow it.
    """
    specs = [(tuple(a.shape), str(a.dtype)) for a in arrays]
    taken = [(spec.shape, spec.dtype) for spec in declared]
    if len(specs) == len(taken) and all(map(_fits, specs, taken)):
        return [a.astype(spec.dtype) for a, spec in zip(arrays, declared, strict=True)]
    model = ", ".join(f"{'x'.join(map(str, shape)) or 'scalar'} {dtype}" for shape, dtype in specs)
    raise PackageError(
        "the artifact does not take what the model takes",
        where=path,
        why=f"it takes {', '.join(map(str, declared)) or 'nothing'}; the model takes {model}",
        hint="this is not the artifact that was exported here; export it again",
    )


def _fits(spec: tuple[tuple[int, ...], str], taken: tuple[tuple[int, ...], str]) -> bool:
    narrowed = (spec[1], taken[1]) == ("int64", "int32")
    return spec[0] == taken[0] and (spec[1] == taken[1] or narrowed)
