"""What the model was given and what it computed, kept beside the artifact: a folder can be checked again, here or on
a device, without the model's code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from edgevit.errors import PackageError
from edgevit.graph.other_inputs import Other, other_inputs

GOLDEN = "golden.safetensors"
Tensors = tuple[torch.Tensor, ...]


_MOST_OTHERS = 1 << 20  # bytes; their inputs are made of the example's


def save_golden(
    folder: Path,
    inputs: Sequence[torch.Tensor],
    outputs: Sequence[torch.Tensor],
    others: Sequence[Other] = (),
) -> None:
    """By position: names differ from format to format. Of `others` as many as are cheap to keep."""
    tensors = {f"input.{k}": tensor for k, tensor in enumerate(inputs)}
    tensors |= {f"output.{k}": tensor for k, tensor in enumerate(outputs)}
    room = _MOST_OTHERS
    for other in others:
        room -= sum(t.numel() * t.element_size() for t in other.outputs)
        if room >= 0:
            tensors |= {f"{other.name}.{k}": tensor for k, tensor in enumerate(other.outputs)}
    save_file(
        {name: t.detach().clone().contiguous() for name, t in tensors.items()}, folder / GOLDEN
    )


def load_golden(folder: Path) -> tuple[Tensors, Tensors]:
    """Raises `PackageError` for tensors that nothing can be held against: none, or NaN."""
    path = folder / GOLDEN
    tensors = _load(path)
    inputs, outputs = _by_position(tensors, "input", path), _by_position(tensors, "output", path)
    if not any(tensor.isfinite().any() for tensor in outputs):
        raise _unusable(path, "no output has a finite number in it")
    return inputs, outputs


def load_others(folder: Path) -> tuple[Other, ...]:
    """What the model computed on inputs of other statistics, as far as it was kept."""
    path = folder / GOLDEN
    tensors = _load(path)
    made = other_inputs(_by_position(tensors, "input", path))
    kept = [name for name in made if f"{name}.0" in tensors]
    return tuple(Other(name, made[name], _by_position(tensors, name, path)) for name in kept)


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
