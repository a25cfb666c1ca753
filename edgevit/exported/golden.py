"""Golden vectors: the model's inputs and outputs, stored beside the artifact.

A folder can be verified by them without the model's code, here or on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from edgevit.errors import PackageError
from edgevit.graph.other_inputs import Other, other_inputs
from edgevit.graph.parity import Ranking
from edgevit.quantize import HeldOut

GOLDEN = "golden.safetensors"
Tensors = tuple[torch.Tensor, ...]


_MOST_OTHERS = 1 << 20  # bytes of outputs; inputs are derived from the example's
_MOST_HELD_OUT = 4 << 20  # bytes of the runs that a quantised artifact is judged by
_HELD_OUT = "held_out"
_RANKING = "ranking"
_EXAMPLE = "example"
_ROUNDING = "rounding"  # relative L2 of PyTorch's own, where the limit is wider for it


def save_golden(
    folder: Path,
    inputs: Sequence[torch.Tensor],
    outputs: Sequence[torch.Tensor],
    others: Sequence[Other] = (),
    held_out: Sequence[HeldOut] = (),
    rankings: Sequence[Ranking] = (),
    rounding: float = 0.0,
) -> None:
    """Write golden vectors by position, since names differ between formats.

    `others` and `held_out` are written up to a limit of bytes.
    """
    tensors = {f"input.{k}": tensor for k, tensor in enumerate(inputs)}
    tensors |= {f"output.{k}": tensor for k, tensor in enumerate(outputs)}
    room = _MOST_OTHERS
    for other in others:
        room -= sum(t.numel() * t.element_size() for t in other.outputs)
        if room >= 0:
            tensors |= {f"{other.name}.{k}": tensor for k, tensor in enumerate(other.outputs)}
            tensors |= _of_rankings(other.rankings, other.name)
    tensors |= _of_rankings(rankings, _EXAMPLE)
    tensors |= _of_held_out(held_out)
    if rounding:
        tensors[_ROUNDING] = torch.tensor(rounding, dtype=torch.float64)
    save_file(
        {name: t.detach().clone().contiguous() for name, t in tensors.items()}, folder / GOLDEN
    )


def _of_rankings(rankings: Sequence[Ranking], name: str) -> dict[str, torch.Tensor]:
    """Return scores and the outputs that they order, by the name of the inputs."""
    tensors: dict[str, torch.Tensor] = {}
    for k, one in enumerate(rankings):
        if one.equal:
            tensors[f"{_RANKING}.{name}.{k}.equal"] = torch.tensor(one.equal, dtype=torch.float64)
        tensors[f"{_RANKING}.{name}.{k}.scores"] = one.scores
        tensors[f"{_RANKING}.{name}.{k}.outputs"] = torch.tensor(one.outputs)
    return tensors


def load_rankings(folder: Path) -> tuple[Ranking, ...]:
    """Return the stored scores that order the golden outputs."""
    path = folder / GOLDEN
    tensors = _load(path)
    return _rankings(tensors, _EXAMPLE, _by_position(tensors, "output", path), path)


def _rankings(
    tensors: dict[str, torch.Tensor], name: str, outputs: Tensors, path: Path
) -> tuple[Ranking, ...]:
    start = f"{_RANKING}.{name}."
    count = sum(key.startswith(start) and key.endswith(".scores") for key in tensors)
    rankings = []
    for k in range(count):
        scores, places = (tensors.get(f"{start}{k}.{part}") for part in ("scores", "outputs"))
        if scores is None or places is None or not _order(scores, places, outputs):
            raise _unusable(path, f"{start}{k} does not order rows of its outputs")
        equal = tensors.get(f"{start}{k}.equal", torch.tensor(0.0))
        if equal.numel() != 1 or not 0 <= float(equal) < inf:
            raise _unusable(path, f"{start}{k}.equal is no distance of scores")
        rankings.append(Ranking(scores, tuple(places.tolist()), float(equal)))
    return tuple(rankings)


def _order(scores: torch.Tensor, places: torch.Tensor, outputs: Tensors) -> bool:
    """Check for finite scores, and for outputs that have a row for each."""
    if not scores.is_floating_point() or not scores.ndim or not bool(scores.isfinite().all()):
        return False
    numbers = places.tolist() if places.ndim == 1 and places.dtype == torch.int64 else [-1]
    return all(
        0 <= k < len(outputs) and outputs[k].shape[: scores.ndim] == scores.shape for k in numbers
    )


def _of_held_out(runs: Sequence[HeldOut]) -> dict[str, torch.Tensor]:
    """Return the tensors of the first runs: at least one, and no more than fit the limit."""
    tensors: dict[str, torch.Tensor] = {}
    room = _MOST_HELD_OUT
    for index, run in enumerate(runs):
        parts = {"input": run.inputs, "output": run.outputs, "simulated": run.simulated}
        named = {
            f"{_HELD_OUT}.{index}.{part}.{k}": tensor
            for part, column in parts.items()
            for k, tensor in enumerate(column)
        } | _of_rankings(run.rankings, f"{_HELD_OUT}-{index}")
        room -= sum(tensor.numel() * tensor.element_size() for tensor in named.values())
        if index and room < 0:
            break
        tensors |= named
    return tensors


def load_held_out(folder: Path) -> tuple[HeldOut, ...]:
    """Return the stored runs that a quantised artifact is judged by; none for a float one.

    Raises `PackageError` unless each run has all parts, finite and of the golden vectors' shapes.
    """
    path = folder / GOLDEN
    tensors = _load(path)
    indices = {name.split(".")[1] for name in tensors if name.startswith(f"{_HELD_OUT}.")}
    if indices != {str(index) for index in range(len(indices))}:
        raise _unusable(path, f"its runs are not {_HELD_OUT}.0, {_HELD_OUT}.1 and so on")
    like = {part: _by_position(tensors, part, path) for part in ("input", "output")}
    like["simulated"] = like["output"]
    runs: list[HeldOut] = []
    for index in range(len(indices)):
        inputs, outputs, simulated = (
            _like(tensors, f"{_HELD_OUT}.{index}.{part}", like[part], path) for part in like
        )
        run = HeldOut(inputs, outputs, simulated)
        rankings = _rankings(tensors, f"{_HELD_OUT}-{index}", run.outputs, path)
        runs.append(replace(run, rankings=rankings))
    return tuple(runs)


def _like(tensors: dict[str, torch.Tensor], kind: str, golden: Tensors, path: Path) -> Tensors:
    parts = _by_position(tensors, kind, path)
    facts, needed = ([(tuple(x.shape), x.dtype) for x in those] for those in (parts, golden))
    if facts != needed:
        raise _unusable(path, f"{kind} is {facts}, and the golden vectors are {needed}")
    for k, tensor in enumerate(parts):
        if not bool(tensor.isfinite().all()):
            raise _unusable(path, f"{kind}.{k} has infinite values")
    return parts


def load_golden(folder: Path) -> tuple[Tensors, Tensors]:
    """Return the golden inputs and outputs.

    Raises `PackageError` if there are none, one holds NaN, or no output has a finite number.
    """
    path = folder / GOLDEN
    tensors = _load(path)
    inputs, outputs = _by_position(tensors, "input", path), _by_position(tensors, "output", path)
    if not any(tensor.isfinite().any() for tensor in outputs):
        raise _unusable(path, "no output has a finite number in it")
    return inputs, outputs


def load_others(folder: Path) -> tuple[Other, ...]:
    """Return the stored outputs for inputs of other statistics."""
    path = folder / GOLDEN
    tensors = _load(path)
    inputs = other_inputs(_by_position(tensors, "input", path))
    complete = [name for name in inputs if f"{name}.0" in tensors]
    others = [Other(name, inputs[name], _by_position(tensors, name, path)) for name in complete]
    return tuple(
        replace(one, rankings=_rankings(tensors, one.name, one.outputs, path)) for one in others
    )


def load_rounding(folder: Path) -> float:
    """Return the stored rounding of PyTorch's float32; 0 where the usual limit holds."""
    path = folder / GOLDEN
    rounding = _load(path).get(_ROUNDING, torch.tensor(0.0))
    if rounding.numel() != 1 or not 0 <= float(rounding) <= 1:
        raise _unusable(path, f"{_ROUNDING} is no number between 0 and 1")
    return float(rounding)


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise _unusable(path, str(error)) from error


def _by_position(tensors: dict[str, torch.Tensor], kind: str, path: Path) -> Tensors:
    count = sum(name.startswith(f"{kind}.") for name in tensors)
    names = [f"{kind}.{k}" for k in range(count)]
    if not names or not all(name in tensors for name in names):
        raise _unusable(path, f"its tensors are not {kind}.0, {kind}.1 and so on")
    for name in names:
        if tensors[name].isnan().any():
            raise _unusable(path, f"{name} holds NaN, which nothing equals")
    return tuple(tensors[name] for name in names)


def _unusable(path: Path, why: str) -> PackageError:
    return PackageError(
        f"{GOLDEN} cannot be read", where=str(path), why=why, hint="export the model again"
    )
