"""Functions of torch that its own annotations leave untyped, with types."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def from_numpy(array: np.ndarray) -> torch.Tensor:
    """Return a tensor that shares its memory with an array."""
    return torch.from_numpy(array)


def integer_array(x: torch.Tensor) -> np.ndarray:
    """Return whole numbers, of whatever type, as an array of integers."""
    return x.long().numpy()


def norm(x: torch.Tensor) -> float:
    """Return the length of all of a tensor as one vector."""
    return float(x.norm())


def integers(x: torch.Tensor) -> list[int]:
    """Return the integers of a tensor of any shape, row by row."""
    return x.flatten().tolist()


def strides(x: torch.Tensor) -> tuple[int, ...]:
    return tuple(x.stride())


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of values of several shapes together; raise RuntimeError if there is none."""
    return tuple(torch.broadcast_shapes(*shapes))


def block_diagonal(blocks: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.block_diag(*blocks)


def inverse(matrix: torch.Tensor) -> torch.Tensor:
    """Return the inverse of a square matrix, or of each of several."""
    return torch.linalg.inv(matrix)


def singular_values(matrix: torch.Tensor) -> torch.Tensor:
    return torch.linalg.svdvals(matrix)


def singular_vectors(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return U, S and V^T of the reduced singular value decomposition."""
    left, singular, right = torch.linalg.svd(matrix, full_matrices=False)
    return left, singular, right


def cholesky_factor(x: torch.Tensor) -> torch.Tensor:
    """Return the lower Cholesky factor of each matrix."""
    return torch.linalg.cholesky(x)
