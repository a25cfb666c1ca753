"""Result of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.exported import summary
from edgevit.graph.parity import Parity
from edgevit.rewrites.report import RewriteReport


@dataclass(frozen=True)
class ExportResult:
    """Result of an export. `passed`: every stage was verified within its tolerance."""

    directory: Path
    artifact: Path
    parity: tuple[Parity, ...]
    rewrites: RewriteReport
    manifest: dict[str, object]

    @property
    def passed(self) -> bool:
        return all(parity.passed for parity in self.parity)

    def __str__(self) -> str:
        return summary(self.manifest)
