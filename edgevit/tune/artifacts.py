"""Artifacts of a tuning run: each point is exported by a plan, to a folder of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError, ParityError
from edgevit.export import ExportPlan, export_apart, made_of, plan_text
from edgevit.exported import read_manifest, remove_export, require_untouched


@dataclass(frozen=True)
class Artifacts:
    work: Path
    said: tuple[str, ...] = ()  # user arguments outside the plan: --trust, --weights FILE

    def build(self, key: str, plan: ExportPlan) -> tuple[Path, dict[str, Any]]:
        """Export a point, or reuse an earlier run's complete export. Return folder and manifest.

        Raises the export's error, and `ParityError` if the artifact fails its verification.
        """
        folder, file = self.work / key, self.work / f"{key}.toml"
        text = plan_text(plan)
        if not (file.is_file() and file.read_text() == text and (manifest := _whole(folder))):
            self.work.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            words = [plan.model, "--target", plan.target, "--plan", str(file), "-o", str(folder)]
            export_apart([*words, *self.said])
            manifest = read_manifest(folder)
        if not manifest["passed"]:
            raise ParityError("the export does not compute what the model does", where=str(folder))
        return folder, manifest

    def keep_only(self, keys: Sequence[str]) -> None:
        """Delete the folders of all other points, unless they hold foreign files.

        Another worker may delete a folder at the same time, so errors are ignored.
        """
        for folder in self.work.iterdir() if self.work.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in keys:
                try:
                    remove_export(folder)
                except OSError:
                    continue

    def folder(self, key: str) -> Path:
        return self.work / key


def _whole(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = read_manifest(folder)
        require_untouched(folder, manifest)
    except EdgevitError:
        return None
    return manifest


def drop_of(manifest: dict[str, Any]) -> float:
    """Return an upper bound of 1 - cosine to the model as given: angles add up at most."""
    angles = [max(map(_angle, manifest["parity"]))]
    if manifest["from_original"]:
        angles.append(_angle(manifest["from_original"]))
    return 1 - math.cos(min(sum(angles), math.pi))


def _angle(moved: Mapping[str, Any]) -> float:
    """Return the angle in radians between two outputs, a right angle if unknown.

    It is the larger of two: that of the cosine, and that between vectors of equal length with the
    same relative L2, which counts a change of length.
    """
    cosine, rel_l2 = moved["cosine"], moved["rel_l2"]
    if cosine is None or rel_l2 is None:
        return math.pi / 2
    return max(math.acos(max(-1.0, min(1.0, cosine))), 2 * math.asin(min(1.0, rel_l2 / 2)))


def _accuracy(manifest: dict[str, Any]) -> dict[str, float] | None:
    """Return top-1 of the file and of the model as given, in percent, where they were measured."""
    measured = manifest.get("accuracy")
    if not measured:
        return None
    top1, original = measured["file"]["top1"], measured["float"]["top1"]
    return {"top1": top1, "float": original, "drop": original - top1}


def facts_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the facts about an artifact that its trial stores."""
    artifact = made_of(manifest)
    return {
        "artifact": {"name": artifact.name, "bytes": artifact.bytes, "sha256": artifact.sha256},
        "drop": drop_of(manifest),
        "accuracy": _accuracy(manifest),
        "graph": manifest["model"]["graph"],
        "versions": manifest["versions"],
    }
