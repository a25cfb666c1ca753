"""`edgevit verify`: check an exported folder by its golden vectors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends import Artifact, Expected, backend_of
from edgevit.errors import PackageError
from edgevit.exported.golden import (
    GOLDEN,
    load_golden,
    load_held_out,
    load_others,
    load_rankings,
    load_rounding,
)
from edgevit.exported.manifest import read_manifest, require_ours, require_untouched
from edgevit.exported.text import parity_rows, parity_text, verdict
from edgevit.graph.parity import Parity
from edgevit.support.backend_info import info_of
from edgevit.support.notebook import Row, Shown


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """Result of a verification. `passed`: every stage is within its tolerance."""

    directory: Path
    artifact: Path
    parity: tuple[Parity, ...]
    manifest: dict[str, Any]
    unlisted: tuple[str, ...] = ()  # files that the manifest does not list

    @property
    def passed(self) -> bool:
        return all(parity.passed for parity in self.parity)

    def as_dict(self) -> dict[str, object]:
        return {
            "directory": str(self.directory),
            "artifact": self.artifact.name,
            "parity": [parity.as_dict() for parity in self.parity],
            "passed": self.passed,
            "unlisted": list(self.unlisted),
        }

    def _title(self) -> str:
        return str(self.artifact)

    def _rows(self) -> Iterator[Row]:
        yield "result", verdict(self.passed, self.manifest)
        for parity in self.parity:
            figures = parity.as_dict()
            yield f"{parity.stage} {parity.precision}", parity_text(figures)
        for name in self.unlisted:
            yield "unlisted", f"{name}: not of the export, and not checked"

    def __str__(self) -> str:
        rows = [str(self.artifact), *parity_rows([p.as_dict() for p in self.parity])]
        rows += [
            f"  unlisted   {name}: not of the export, and not checked" for name in self.unlisted
        ]
        return "\n".join([*rows, f"  result     {verdict(self.passed, self.manifest)}"])


def verify(directory: str | os.PathLike[str], *, trust: bool = False) -> Verdict:
    """Verify an exported folder by its golden vectors.

    It needs the folder alone, neither the model's code nor its weights.

    Args:
        directory: an exported folder, or the result of `edgevit.export`.
        trust: run code that another user exported.

    Returns:
        The `Verdict`. Its `passed` is False if a stage is out of its tolerance.

    Raises:
        PackageError: the folder is damaged, or holds another user's code.
        EdgevitError: the runtime is missing, or cannot run the artifact.

    Example:
        assert edgevit.verify("out/net-iphone").passed
    """
    folder = Path(directory)
    manifest = read_manifest(folder)
    unlisted = require_untouched(folder, manifest)
    require_ours(folder, manifest, trust)
    inputs, outputs = load_golden(folder)
    path = folder / manifest["artifact"]
    artifact = Artifact(manifest["format"], manifest["precision"], path, manifest["versions"])
    held_out = load_held_out(folder)
    if info_of(artifact.format).scheme(artifact.precision) and not held_out:
        raise PackageError(
            f"{GOLDEN} has no runs to judge {artifact.precision} by",
            where=str(folder / GOLDEN),
            why="a quantised artifact is held to its simulation on inputs held out",
            hint="export the model again",
        )
    expected = Expected(
        inputs,
        outputs,
        others=load_others(folder),
        held_out=held_out,
        rankings=load_rankings(folder),
        stored_rounding=load_rounding(folder),
    )
    parity = backend_of(artifact.format).check(artifact, expected)
    return Verdict(folder, path, parity, manifest, unlisted)
