"""Last step of an export: write companion files (snippets, graph dumps, report) and manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgevit.backends import Artifact, Expected
from edgevit.exported import (
    GRAPHS,
    OUTLINE,
    PAGE,
    SUMMARY,
    listed_files,
    page,
    remove,
    summary,
    write_manifest,
)
from edgevit.graph.cost import op_counts
from edgevit.graph.outline import outlines
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.snippets import ports_of, write_calls
from edgevit.support.backend_info import info_of


def leave(
    draft: Path, manifest: dict[str, Any], artifact: Artifact, expected: Expected, before: Program
) -> None:
    """Fill in `ports`, `ops`, `notes` and `files` of the manifest, and write the companion files.

    Files that only served verification are deleted. `before` is the program before the rules,
    `expected.program` the rewritten one.
    """
    manifest["ports"] = ports_of(artifact, expected)
    if place := info_of(artifact.format).finish:
        info_of(artifact.format).part(place)(artifact.path, manifest)
    if artifact.reference is not None:
        remove(draft / artifact.reference.relative_to(draft).parts[0])
    manifest["notes"] += write_calls(draft, manifest)
    manifest["ops"] = {}
    (draft / GRAPHS).mkdir()
    both = {"before": before, "after": expected.program}
    programs = {when: program for when, program in both.items() if program is not None}
    for when, program in programs.items():
        manifest["ops"][when] = op_counts(program)
        (draft / GRAPHS / f"{when}.txt").write_text(graph_text(program) + "\n")
    (draft / GRAPHS / OUTLINE).write_text(json.dumps(outlines(programs)) + "\n")
    manifest["files"] = listed_files(draft)
    (draft / SUMMARY).write_text(summary(manifest) + "\n")
    (draft / PAGE).write_text(page(draft, manifest), encoding="utf-8")
    manifest["files"] = listed_files(draft)
    write_manifest(draft, manifest)
