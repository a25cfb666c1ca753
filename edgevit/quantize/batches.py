"""Calibration inputs from Python: an iterable of tensors, such as a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from edgevit.errors import CalibrationError
from edgevit.graph.program import Inputs, Program
from edgevit.graph.tensors import from_numpy
from edgevit.quantize.calibration import Calibration
from edgevit.quantize.options import CalibrationOptions

SOURCE = "calibration="


@dataclass(frozen=True)
class CalibrationBatches(CalibrationOptions):
    """Calibration inputs that a caller has: tensors, or tuples or dicts of them, batched or not."""

    calibrate: str | None = SOURCE
    batches: Iterable[Any] = ()


def from_batches(batches: Iterable[object], program: Program, count: int) -> Calibration:
    """Take up to `count` runs. A batch is split into runs of the program's own batch size.

    What follows the inputs in a tuple, such as labels, is left out.
    """
    runs: list[Inputs] = []
    for index, item in enumerate(batches):
        runs += _runs(_columns(item, program, index), program, index)
        if len(runs) >= count:
            break
    return Calibration(tuple(runs[:count]), SOURCE).check(program)


def _columns(item: object, program: Program, index: int) -> list[torch.Tensor]:
    """Return the tensors for the program's inputs, by position or by name."""
    name = type(item).__name__
    parts: list[object]
    if isinstance(item, Mapping):
        named = cast(Mapping[object, object], item)
        parts = [named.get(name) for name in program.input_names]
    elif isinstance(item, tuple | list):
        parts = list(cast(Sequence[object], item)[: len(program.inputs)])
    else:
        parts = [item]
    tensors = [
        tensor
        for part, like in zip(parts, program.inputs, strict=False)
        if (tensor := _tensor(part, like.dtype)) is not None
    ]
    if len(tensors) != len(program.inputs):
        raise _unfit(index, f"a {name}", program)
    return tensors


def _tensor(part: object, dtype: torch.dtype) -> torch.Tensor | None:
    if isinstance(part, np.ndarray):
        array = cast("np.ndarray[Any, np.dtype[Any]]", part)
        return from_numpy(np.array(array)).to(dtype) if array.dtype.kind in "fiub" else None
    return part.detach().cpu().to(dtype) if isinstance(part, torch.Tensor) else None


def _runs(columns: Sequence[torch.Tensor], program: Program, index: int) -> Iterator[Inputs]:
    examples = program.inputs
    if all(x.shape == like.shape for x, like in zip(columns, examples, strict=True)):
        yield tuple(
            x.clone() for x in columns
        )  # batches may differ: a picture beside several texts
        return
    if all(x.shape == like.shape[1:] for x, like in zip(columns, examples, strict=True)):
        columns = [x[None] for x in columns]  # one sample of a data set
    rows = {x.shape[0] if x.dim() else 0 for x in columns}
    sizes = {like.shape[0] if like.dim() else 0 for like in examples}
    fits = all(x.shape[1:] == like.shape[1:] for x, like in zip(columns, examples, strict=True))
    if not fits or len(rows) != 1 or len(sizes) != 1:
        raise _unfit(index, " and ".join(_sizes(x) for x in columns), program)
    step = max(sizes.pop(), 1)
    for start in range(0, rows.pop() - step + 1, step):
        yield tuple(x[start : start + step].clone() for x in columns)


def _unfit(index: int, what: str, program: Program) -> CalibrationError:
    takes = ", ".join(
        f"{name} {_sizes(x)}" for name, x in zip(program.input_names, program.inputs, strict=True)
    )
    return CalibrationError(
        f"item {index} of the calibration inputs does not fit the model",
        where=SOURCE,
        why=f"it is {what}; the model takes {takes}",
        hint="tensors as the model takes them, batched or not; or a dict of them by those names",
    )


def _sizes(x: torch.Tensor) -> str:
    return "x".join(map(str, x.shape)) or "a scalar"
