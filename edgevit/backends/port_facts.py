"""Tensor that enters or leaves an artifact, as the artifact declares it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PortFacts:
    name: str
    shape: tuple[int, ...]
    dtype: str  # as numpy calls it
    scale: float | None = None  # of quantised ones: real = (integer - zero) * scale
    zero: int | None = None

    def as_dict(self) -> dict[str, object]:
        facts = {key: fact for key, fact in asdict(self).items() if fact is not None}
        return {**facts, "shape": list(self.shape)}

    @classmethod
    def of_dict(cls, entry: dict[str, Any]) -> PortFacts:
        return cls(**{**entry, "shape": tuple(entry["shape"])})


Ports = tuple[list[PortFacts], list[PortFacts]]  # inputs, outputs
