"""`edgevit verify`: check an exported folder by its golden vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends import Artifact, Expected, backend_of
from edgevit.exported.golden import load_golden, load_held_out, load_others
from edgevit.exported.manifest import read_manifest, require_ours, require_untouched
from edgevit.exported.text import parity_rows, verdict
from edgevit.graph.parity import Parity


@dataclass(frozen=True)
class Verdict:
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

    def __str__(self) -> str:
        rows = [str(self.artifact), *parity_rows([p.as_dict() for p in self.parity])]
        rows += [
            f"  unlisted   {name}: not of the export, and not checked" for name in self.unlisted
        ]
        return "\n".join([*rows, f"  result     {verdict(self.passed, self.manifest)}"])


def verify(directory: str | Path, *, trust: bool = False) -> Verdict:
    """Verify an exported folder by its golden vectors.

    Needs the folder alone, neither the model's code nor its weights. Raises `PackageError` for a
    damaged folder, and for another user's code without `trust`.
    """
    folder = Path(directory)
    manifest = read_manifest(folder)
    unlisted = require_untouched(folder, manifest)
    require_ours(folder, manifest, trust)
    inputs, outputs = load_golden(folder)
    path = folder / manifest["artifact"]
    artifact = Artifact(manifest["format"], manifest["precision"], path, manifest["versions"])
    expected = Expected(inputs, outputs, others=load_others(folder), held_out=load_held_out(folder))
    parity = backend_of(artifact.format).check(artifact, expected)
    return Verdict(folder, path, parity, manifest, unlisted)
