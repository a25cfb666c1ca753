"""What the model was given and what it computed, kept beside the artifact: a folder can be checked again, here or on
a device, without the model's code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from edgevit.errors import PackageError

GOLDEN = "golden.safetensors"
Tensors = tuple[torch.Tensor, ...]


def save_golden(
    folder: Path, inputs: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor]
) -> None:
    """By position: names differ from format to format."""
    tensors = {f"input.{k}": tensor for k, tensor in enumerate(inputs)}
    tensors |= {f"output.{k}": tensor for k, tensor in enumerate(outputs)}
    save_file(
        {name: t.detach().clone().contiguous() for name, t in tensors.items()}, folder / GOLDEN
    )


def load_golden(folder: Path) -> tuple[Tensors, Tensors]:
    path = folder / GOLDEN
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise PackageError(
            f"{GOLDEN} cannot be read",
            where=str(path),
            why=str(error),
            hint="export the model again",
        ) from error
    return _by_position(found, "input"), _by_position(found, "output")


def _by_position(found: dict[str, torch.Tensor], kind: str) -> Tensors:
    count = sum(name.startswith(f"{kind}.") for name in found)
    return tuple(found[f"{kind}.{k}"] for k in range(count))
