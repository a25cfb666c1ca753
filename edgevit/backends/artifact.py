"""Files that a backend writes to disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from edgevit.backends.delegation import Delegation
from edgevit.backends.placement import Placement
from edgevit.quantize import HeldOut, StoredTensor


@dataclass(frozen=True)
class Artifact:
    """File or package folder in a backend's format, and the versions of the tools that made it."""

    format: str
    precision: str
    path: Path
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    reference: Path | None = (
        None  # the same program in a form that can be checked better: then thrown away
    )
    delegation: Delegation | None = None
    placement: Placement | None = None  # where the device decides: a prediction
    stored: tuple[StoredTensor, ...] = ()  # its constants, where a precision rounds weights
    held_out: tuple[HeldOut, ...] = ()  # what its lowering was judged by, where that quantises
    details: dict[str, object] = field(
        default_factory=dict
    )  # the format's own facts, for edgevit.json

    def with_details(self, **details: object) -> Artifact:
        return replace(self, details={**self.details, **details})
