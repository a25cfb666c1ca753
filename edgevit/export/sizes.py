"""Sizes of one model as functions of one file, where the format and the target's system have such files.

Each size keeps its folder, whose artifact was verified. The file beside the folders computes what they compute, bit
for bit where the runtime runs the same kernels, and stores weights that they share once. `sizes.json` names its functions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends import (
    Functions,
    NotJoinedError,
    bytes_of,
    functions_of,
    require_same_functions,
)
from edgevit.errors import EdgevitError, OutputError, ParityError
from edgevit.export.result import ExportResult
from edgevit.exported import artifact_bytes, load_golden, remove, write_manifest
from edgevit.support.backend_info import BACKENDS
from edgevit.support.whole_file import draft_of
from edgevit.targets import Target

PLAN = "sizes.json"


@dataclass(frozen=True)
class Sizes:
    """The file of all sizes, or None and the reason for a folder each."""

    path: Path | None
    plan: dict[str, Any]
    why: str = ""

    def __str__(self) -> str:
        if self.path is None:
            return f"  sizes      a folder each: {self.why}"
        names = ", ".join(one["function"] for one in self.plan["functions"])
        called = "functions" if "call" in self.plan else "sizes    "
        apart = sum(one["bytes"] for one in self.plan["functions"])
        return (
            f"  one file   {self.path}: {self.plan['bytes'] / 1e6:.2f} MB instead of {apart / 1e6:.2f}\n"
            f"  {called}  {names}; {PLAN} has their inputs"
        )

    def as_dict(self) -> dict[str, Any]:
        if self.path is None:
            return {"file": None, "why": self.why}
        return self.plan


def join_sizes(
    outcomes: Mapping[str, ExportResult | EdgevitError], target: Target, directory: Path
) -> Sizes:
    """Write the exports, by their size, into one file beside their folders, where that can be."""
    _remove_former(directory)
    results = {name: one for name, one in outcomes.items() if isinstance(one, ExportResult)}
    if why := _refusal(outcomes, results, target):
        return Sizes(None, {}, why)
    first = next(iter(results.values()))
    functions = functions_of(first.manifest["format"], target)
    assert functions is not None and functions.join_files is not None
    path = directory / first.artifact.name
    if path.exists():
        raise OutputError(
            f"{path} is not of an export of several sizes",
            where=str(path),
            why=f"no {PLAN} beside it names it",
            hint="-o another folder, or move it away first",
        )
    try:
        _write(functions, results, path)
    except NotJoinedError as reason:
        return Sizes(None, {}, str(reason))
    except ParityError as error:
        return Sizes(None, {}, error.message)
    plan = {
        "file": path.name,
        "bytes": bytes_of(path),
        "functions": [
            {
                "function": _function(name),
                "folder": result.directory.name,
                "bytes": artifact_bytes(result.manifest),
                "inputs": result.manifest["ports"]["inputs"],
            }
            for name, result in results.items()
        ],
    }
    name, text = functions.call
    if name:
        marks = {"FILE": path.name, "STEM": path.stem}
        marks["FUNCTIONS"] = ", ".join(map(_function, results))
        for mark, value in marks.items():
            text = text.replace(f"@{mark}@", value)
        (directory / name).write_text(text)
        plan["call"] = name
    (directory / PLAN).write_text(json.dumps(plan, indent=1) + "\n")
    for name, result in results.items():
        result.manifest["joined"] = {"file": f"../{path.name}", "function": _function(name)}
        write_manifest(result.directory, result.manifest)
    return Sizes(path, plan)


def _refusal(
    outcomes: Mapping[str, object], results: Mapping[str, ExportResult], target: Target
) -> str:
    """Return why the sizes stay in a folder each; empty if they become one file."""
    if len(results) < len(outcomes) or not all(one.passed for one in results.values()):
        return "not every size passed"
    formats = {one.manifest["format"] for one in results.values()}
    if len(formats) > 1:
        return "one file is of one --format"
    info = BACKENDS[formats.pop()]
    functions: Functions | None = info.part(info.functions) if info.functions else None
    if functions is None or functions.join_files is None:
        return f"a file of {info.title} is of one size"
    if not functions.runs_on(target):
        return f"functions of one file need {functions.since}, and {target.title} may have less"
    return "" if len(results) > 1 else "there is one size"


def _write(functions: Functions, results: Mapping[str, ExportResult], path: Path) -> None:
    draft = draft_of(path, path.suffix)
    assert functions.join_files is not None
    try:
        functions.join_files({_function(n): one.artifact for n, one in results.items()}, draft)
        for name, result in results.items():
            precision, (inputs, _) = result.manifest["precision"], load_golden(result.directory)
            function, own = _function(name), result.artifact
            require_same_functions(functions, draft, function, own, precision, inputs)
        os.replace(draft, path)
    finally:
        if draft.exists():
            remove(draft)


def _function(name: str) -> str:
    return f"size_{name}"


def _remove_former(directory: Path) -> None:
    """Remove the file of an export before, which would be of other sizes or weights."""
    plan = directory / PLAN
    if not plan.is_file():
        return
    try:
        former = json.loads(plan.read_text())
        names = [former["file"], former.get("call")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for name in names:
        if isinstance(name, str) and Path(name).name == name and (directory / name).exists():
            remove(directory / name)
    plan.unlink()
