"""Predicted unit of the chip for each op of an artifact.

The device decides, and may decide otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Literal

from edgevit.errors import EnginePlacementError

Unit = Literal["neural_engine", "gpu", "cpu"]


@dataclass(frozen=True)
class Placed:
    op: str
    name: str  # of its first result, in the artifact
    where: str  # the user's line; "" if unknown
    unit: Unit
    why: str
    source: str  # document that states it


@dataclass(frozen=True)
class Placement:
    """Predicted placement; `ops` are in the order of the program."""

    ops: tuple[Placed, ...]
    transposes: int

    @property
    def off_engine(self) -> tuple[Placed, ...]:
        return tuple(placed for placed in self.ops if placed.unit != "neural_engine")

    @property
    def partitions(self) -> int:
        """Number of stretches of the program on one unit; values are handed over between them."""
        return sum(1 for _ in groupby(placed.unit for placed in self.ops))

    def as_dict(self) -> dict[str, object]:
        units: Counter[str] = Counter(placed.unit for placed in self.ops)
        return {
            "kind": "predicted",
            "units": {unit: units[unit] for unit in ("neural_engine", "gpu", "cpu")},
            "partitions": self.partitions,
            "transposes": self.transposes,
            "ops": [asdict(placed) for placed in self.ops],
        }


def require_engine(placement: Placement) -> None:
    off = placement.off_engine
    if not off:
        return
    raise EnginePlacementError(
        f"{len(off)} of {len(placement.ops)} ops are predicted to run off the Neural Engine",
        where="\n".join(_places(off)) if len(off) < len(placement.ops) else "every op",
        why="\n".join(dict.fromkeys(f"{placed.why} ({placed.source})" for placed in off)),
        hint=_hint(placement),
    )


def _places(off: tuple[Placed, ...]) -> list[str]:
    counts = Counter((placed.op, placed.unit, placed.where) for placed in off)
    return [f"{op} x{count} on the {unit.upper()}   {where}" for (op, unit, where), count in counts.items()]  # fmt: skip


def _hint(placement: Placement) -> str:
    if len(placement.off_engine) == len(placement.ops):
        return "--precision fp16"
    return "write these lines with other ops, or export without --require-ane"
