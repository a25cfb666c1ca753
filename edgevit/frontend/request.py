"""What the user asked of the frontend: one frozen value that every resolver takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgevit.errors import UsageError


@dataclass(frozen=True)
class Request:
    spec: str
    weights: str | None = None  # None: `random` for zoo models, as built for the user's own
    input_size: tuple[int, int] | None = None  # height, width
    batch: int = 1
    seed: int = 0
    trust: bool = False  # run code found in weight files and .pt2 archives
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"the batch size must be 1 or more, not {self.batch}")
        if self.input_size is not None and min(self.input_size) < 1:
            raise UsageError(f"the input size must be 1 or more, not {show_size(self.input_size)}")
        if self.std is not None and min(self.std, default=1.0) <= 0:
            raise UsageError("every --std value must be above 0", why=f"got {self.std}")


def show_size(size: tuple[int, int]) -> str:
    """`224` for a square, `192x256` (height x width) otherwise."""
    height, width = size
    return f"{height}" if height == width else f"{height}x{width}"


def file_safe(name: str) -> str:
    """A name that can be a file name on any system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "model"
