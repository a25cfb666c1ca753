"""The artifacts of a tuning: each point's export in a folder of its own, by the plan that will make it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import Drift, EdgevitError
from edgevit.export.from_plan import made_of
from edgevit.export.isolated import export_apart
from edgevit.export.plan_file import ExportPlan, plan_text
from edgevit.exported.manifest import read_manifest, require_untouched
from edgevit.exported.staging import remove_export


@dataclass(frozen=True)
class Artifacts:
    work: Path
    said: tuple[str, ...] = ()  # words of the user that are in no plan: --trust, --weights FILE

    def made(self, key: str, plan: ExportPlan) -> tuple[Path, dict[str, Any]]:
        """The folder and its manifest. What an earlier run left whole is not made again. Raises what the export does,
        and `Drift` where it does not compute what the model does."""
        folder, file = self.work / key, self.work / f"{key}.toml"
        text = plan_text(plan)
        if not (file.is_file() and file.read_text() == text and (found := _whole(folder))):
            self.work.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            words = [plan.model, "--target", plan.target, "--plan", str(file), "-o", str(folder)]
            export_apart([*words, *self.said])
            found = read_manifest(folder)
        if not found["passed"]:
            raise Drift("the export does not compute what the model does", where=str(folder))
        return folder, found

    def keep_only(self, keys: Sequence[str]) -> None:
        """The others' folders go, unless they hold anything else; a worker beside us may have taken one away first."""
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
    """How far the cosine to the model as given may be below 1: angles add up at most."""
    angles = [max(map(_angle, manifest["parity"]))]
    if manifest["from_original"]:
        angles.append(_angle(manifest["from_original"]))
    return 1 - math.cos(min(sum(angles), math.pi))


def _angle(moved: Mapping[str, Any]) -> float:
    """By the cosine, or that of two equal lengths as far apart, where lengths changed. A right angle where nothing is known."""
    cosine, rel_l2 = moved["cosine"], moved["rel_l2"]
    if cosine is None or rel_l2 is None:
        return math.pi / 2
    return max(math.acos(max(-1.0, min(1.0, cosine))), 2 * math.asin(min(1.0, rel_l2 / 2)))


def facts_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a trial remembers of its artifact."""
    made = made_of(manifest)
    return {
        "artifact": {"name": made.name, "bytes": made.bytes, "sha256": made.sha256},
        "drop": drop_of(manifest),
        "graph": manifest["model"]["graph"],
        "versions": manifest["versions"],
    }
