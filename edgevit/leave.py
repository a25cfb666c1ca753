"""The last step of an export: what lies beside the artifact for those who will use it, and the manifest of it all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgevit.backends.artifact import Artifact
from edgevit.backends.backend import Expected
from edgevit.backends.mcu.board.readme import write_readme
from edgevit.calls.ports import ports_of
from edgevit.calls.write import write_calls
from edgevit.output import MANIFEST, listed_files, remove
from edgevit.report import SUMMARY, summary


def leave(draft: Path, manifest: dict[str, Any], artifact: Artifact, expected: Expected) -> None:
    """Fills in `ports`, `notes` and `files` of the manifest. What was only there to be checked goes."""
    manifest["ports"] = ports_of(artifact, expected)
    if artifact.format == "mcu":
        write_readme(artifact.path, manifest)
    if artifact.reference is not None:
        remove(draft / artifact.reference.relative_to(draft).parts[0])
    manifest["notes"] += write_calls(draft, manifest)
    (draft / SUMMARY).write_text(summary({**manifest, "files": listed_files(draft)}) + "\n")
    manifest["files"] = listed_files(draft)
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
