"""Results of an export: of one format, and of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError
from edgevit.exported import artifact_bytes, parity_text, summary, verdict
from edgevit.graph.parity import Parity
from edgevit.rewrites.report import RewriteReport
from edgevit.support.notebook import Row, Shown


@dataclass(frozen=True, repr=False)
class ExportResult(Shown):
    """Result of an export. `passed`: every stage was verified within its tolerance.

    It is a path: `edgevit.verify(result)` and `edgevit.profile(result)` take it for its folder.
    """

    directory: Path
    artifact: Path
    parity: tuple[Parity, ...]
    rewrites: RewriteReport
    manifest: dict[str, Any]

    @property
    def passed(self) -> bool:
        return all(parity.passed for parity in self.parity)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know: how the artifact differs from the model as it was given."""
        return tuple(self.manifest["notes"])

    def __fspath__(self) -> str:
        return str(self.directory)

    def __str__(self) -> str:
        return summary(self.manifest)

    def _title(self) -> str:
        manifest = self.manifest
        name = manifest["model"]["name"]
        return f"{name} for {manifest['target']}: {manifest['format']} {manifest['precision']}"

    def _rows(self) -> Iterator[Row]:
        before, after = (self.rewrites.before, self.rewrites.after)
        yield "result", verdict(self.passed, self.manifest)
        yield "artifact", f"{self.artifact}, {artifact_bytes(self.manifest) / 1e6:.2f} MB"
        yield "graph", f"{before.ops} -> {after.ops} ops, {before.macs / 1e6:.1f} -> {after.macs / 1e6:.1f} M MACs"  # fmt: skip
        for parity in self.parity:
            figures = parity.as_dict()
            yield f"{parity.stage} {parity.precision}", parity_text(figures)
        for note in self.notes[:4]:
            yield "note", note


@dataclass(frozen=True, repr=False)
class ExportResults(Shown):
    """Outcomes of an export in several formats, in the order of the request.

    results['onnx']     the `ExportResult`, or raises the error of that format
    results.exported    the formats that were exported, with their results
    results.errors      the formats that were not, with their errors
    """

    outcomes: Mapping[str, ExportResult | EdgevitError]

    @property
    def exported(self) -> dict[str, ExportResult]:
        return {f: one for f, one in self.outcomes.items() if isinstance(one, ExportResult)}

    @property
    def errors(self) -> dict[str, EdgevitError]:
        return {f: one for f, one in self.outcomes.items() if isinstance(one, EdgevitError)}

    @property
    def passed(self) -> bool:
        """Whether every format was exported and verified."""
        return not self.errors and all(result.passed for result in self.exported.values())

    def __getitem__(self, format: str) -> ExportResult:
        outcome = self.outcomes[format]
        if isinstance(outcome, EdgevitError):
            raise outcome
        return outcome

    def __iter__(self) -> Iterator[str]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __contains__(self, format: object) -> bool:
        return format in self.outcomes

    def _title(self) -> str:
        return f"{len(self.exported)} of {len(self)} formats"

    def _rows(self) -> Iterator[Row]:
        for format, outcome in self.outcomes.items():
            if isinstance(outcome, EdgevitError):
                yield format, f"{type(outcome).__name__}: {outcome.message}"
            else:
                said = verdict(outcome.passed, outcome.manifest)
                size = artifact_bytes(outcome.manifest) / 1e6
                yield format, f"{outcome.artifact}, {size:.2f} MB, {said}"
