"""Inputs with other statistics than the example's, as one example does not show every error.

An artifact that is right on one picture may be wrong on a bright one: a query that sees nothing,
a sum that wraps around and a logarithm that underflows need not show on the example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from edgevit.graph.parity import Ranking

Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Other:
    """Model inputs other than its example, and the outputs computed on them."""

    name: str
    inputs: Tensors
    outputs: Tensors
    rankings: tuple[Ranking, ...] = ()  # where outputs are in order of a score


def other_inputs(example: Tensors) -> dict[str, Tensors]:
    """Return variants of the example by name, made of it alone, so that they need not be stored.

    Masks and tensors with non-finite values stay as they are, and so do integers but for one
    variant, where they change places: what the model takes is not known beyond the values that it took.
    """
    of_integers = {"integers moved": tuple(map(moved, example))} if any(map(_moves, example)) else {}  # fmt: skip
    if not any(map(_varies, example)):
        return of_integers
    makers: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
        "scaled by 0.1": lambda x, most: x * 0.1,
        "scaled by 3": lambda x, most: x * 3,
        "constant": lambda x, most: torch.full_like(x, 0.7 * most),
        "bright": lambda x, most: x * 0.2 + 0.8 * most,
    }
    varied = {name: tuple(_changed(x, make) for x in example) for name, make in makers.items()}
    return varied | of_integers


def _moves(x: torch.Tensor) -> bool:
    integer = not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)
    return integer and x.dim() > 0 and x.shape[-1] > 1


def moved(x: torch.Tensor, places: int = 1) -> torch.Tensor:
    """Return whole numbers in other places of their rows; masks and all others as they are."""
    return x.roll(places, -1) if _moves(x) else x


def _varies(x: torch.Tensor) -> bool:
    return x.is_floating_point() and x.numel() > 0 and bool(x.isfinite().all())


def _changed(x: torch.Tensor, make: Callable[[torch.Tensor, float], torch.Tensor]) -> torch.Tensor:
    if not _varies(x):
        return x
    if _is_of_pixels(x):
        return make(x, 255.0).round().clamp(0, 255)
    return make(x, float(x.abs().max()))


def _is_of_pixels(x: torch.Tensor) -> bool:
    return x.ndim == 4 and bool((x == x.round()).all()) and float(x.min()) >= 0 and 1 < float(x.max()) <= 255  # fmt: skip
