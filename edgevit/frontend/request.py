"""Request of the user to the frontend: one frozen value that every resolver takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.frontend.source import MOST_UNIT, ModelSource

_MOST_SIZE = 1 << 16  # pixels along an axis; images in a batch
_MOST_SEED = (1 << 32) - 1  # the largest seed that every random generator accepts


@dataclass(frozen=True)
class Request:
    spec: str
    weights: str | None = None  # None: as the scheme says
    input_size: tuple[int, int] | None = None  # height, width
    batch: int = 1
    seed: int = 0
    trust: bool = False  # run code found in weight files and .pt2 archives
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None
    example: object = None  # inputs of the caller's, for a model that states none
    if_at_hand: bool = False  # pretrained weights are to be taken without long looking for them

    def __post_init__(self) -> None:
        self._require_numbers()
        require_unit_range(self.mean, self.std)

    def _require_numbers(self) -> None:
        _require_within("--batch", self.batch, 1, _MOST_SIZE)
        _require_within("--seed", self.seed, 0, _MOST_SEED)
        for size in self.input_size or ():
            _require_within("--input-size", size, 1, _MOST_SIZE)
        for option, values in (("--mean", self.mean), ("--std", self.std)):
            if not all(map(math.isfinite, values or ())):
                raise UsageError(
                    f"every {option} value must be a finite number",
                    where=option,
                    why=f"got {', '.join(map(str, values or ()))}",
                    hint=f"{option} 0.5,0.5,0.5",
                )
        if self.std is not None and min(self.std, default=1.0) <= 0:
            raise UsageError(
                "every --std value must be above 0",
                where="--std",
                why=f"got {', '.join(map(str, self.std))}",
                hint="--std 0.229,0.224,0.225, or leave it out",
            )


def require_unit_range(
    mean: tuple[float, ...] | None, std: tuple[float, ...] | None, where: str = "--mean, --std"
) -> None:
    """Refuse a mean or deviation of pixels from 0 to 255, where those of pixels from 0 to 1 belong."""
    of_bytes = [max(values, default=0.0) > MOST_UNIT for values in (mean or (), std or ())]
    if not any(of_bytes):
        return
    # beside a mean of 0-255 pixels, a deviation of 1 is of them too
    both = of_bytes[0] and std is not None and min(std) >= 1
    divisors = (255 if of_bytes[0] else 1, 255 if of_bytes[1] or both else 1)
    named = [("--mean", mean, divisors[0]), ("--std", std, divisors[1])]
    words = [f"{name} {_numbers(values, by)}" for name, values, by in named if values is not None]
    raise UsageError(
        "the mean or deviation is of pixels from 0 to 255",
        where=where,
        why="pixels are divided by 255 first: (pixel / 255 - mean) / std",
        hint=f"of pixels from 0 to 1: {' '.join(words)}",
    )


def _numbers(values: tuple[float, ...], divisor: float) -> str:
    return ",".join(f"{value / divisor:.6g}" for value in values)


def _require_within(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(
            f"{option} {str(value)[:24]} is not taken",
            where=option,
            why=f"it must be {least:,} to {most:,}",
            hint=f"{option} {max(least, 1)}, or leave it out",
        )


@dataclass(frozen=True)
class Scheme:
    """One way to name a model."""

    form: str  # how a user writes it
    takes: Callable[[str], bool]
    build: Callable[[Request], ModelSource]
    default_weights: str = "as built"  # meaning of `weights=None`
    # `default_weights` are taken only where there are no pretrained ones at hand.
    prefers_pretrained: bool = False


def show_size(size: tuple[int, int]) -> str:
    """Format a size: `224` for a square, `192x256` (height x width) otherwise."""
    height, width = size
    return f"{height}" if height == width else f"{height}x{width}"


def file_safe(name: str) -> str:
    """Replace characters so that the name can be a file name on any system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "model"
