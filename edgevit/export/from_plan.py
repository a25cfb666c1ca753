"""`edgevit export --plan`: export by a plan, and compare the artifact to the measured one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import torch

from edgevit.errors import UsageError
from edgevit.evaluate import NO_EVALUATION, EvaluationOptions
from edgevit.export.job import ExportJob
from edgevit.export.pipeline import export_one
from edgevit.export.plan_file import ExportPlan, Made
from edgevit.export.request import ExportRequest
from edgevit.export.result import ExportResult
from edgevit.frontend import ModelArguments, ModelOptions, default_torch
from edgevit.quantize import CALIBRATION
from edgevit.support.backend_options import BackendOptions, options_info
from edgevit.support.progress import Stages
from edgevit.targets import load_target

# Options that a user may override in a plan: same net, other weights and numbers.
_OTHER_NUMBERS = ("weights", "seed", "labels", "trust", "replace")


def export_planned(
    plan: ExportPlan,
    model: str,
    *,
    target: str,
    output: str | Path | None = None,
    progress: TextIO | None = None,
    require_delegated: bool = False,
    require_ane: bool = False,
    require_integer: bool = False,
    evaluation: EvaluationOptions = NO_EVALUATION,
    **options: Any,
) -> ExportResult:
    """Export as a plan describes.

    `options` are the model's, as on the command line. They take precedence over the plan's.
    """
    _require_target(plan, target)
    request = ExportRequest(
        require_delegated,
        require_ane,
        require_integer,
        _own(plan),
        CALIBRATION.from_table(plan.calibration),
        plan.chosen,
        plan.graph,
        options.get("labels") is not None,
        evaluation,
    )
    job = ExportJob.validated(target, [plan.format], plan.precision, plan.lossy, (), request)
    arguments = ModelArguments(model, None, ModelOptions(**_options(plan, options)))
    with default_torch():
        torch.set_num_threads(plan.convert_threads)
        return export_one(arguments, job, output, Stages(progress))


def same_bytes(plan: ExportPlan, result: ExportResult) -> str:
    """Return a line on whether the artifact equals the measured one, and likely reasons if not."""
    if plan.artifact is None:
        return ""
    if made_of(result.manifest).sha256 == plan.artifact.sha256:
        return "the same bytes as the artifact that was measured"
    now = cast(Mapping[str, str], result.manifest["versions"])
    changed = [
        f"{name} {then} then, {now.get(name, 'none')} now"
        for name, then in plan.versions.items()
        if now.get(name) != then
    ]
    why = "; ".join(changed) or "the same versions: other weights, or another processor"
    return f"NOT the bytes that were measured: {why}"


def made_of(manifest: Mapping[str, Any]) -> Made:
    """Return name, size and digest of the artifact, with one digest over several files."""
    name = manifest["artifact"]
    files = [f for f in manifest["files"] if f["path"] == name or _belongs(f["path"], name)]
    if len(files) == 1:
        return Made(name, files[0]["bytes"], files[0]["sha256"])
    listing = "\n".join(f"{f['sha256']}  {f['path']}" for f in files)
    size = sum(f["bytes"] for f in files)
    return Made(name, size, hashlib.sha256(listing.encode()).hexdigest())


def _belongs(path: str, artifact: str) -> bool:
    """Return True for a file inside the artifact's folder, or beside its file: `net.onnx.data`."""
    return path.startswith((artifact + "/", artifact + "."))


def _require_target(plan: ExportPlan, target: str) -> None:
    name = load_target(target).name
    if name != plan.target:
        raise UsageError(
            "the plan was made for another target",
            where=f"--target {target}",
            why=f"it was tuned for {plan.target}",
            hint=f"--target {plan.target}, or tune for {name}",
        )


def _own(plan: ExportPlan) -> dict[str, BackendOptions]:
    info = options_info(plan.format)
    return {plan.format: info.from_table(plan.backend)} if info else {}


def _options(plan: ExportPlan, requested: Mapping[str, Any]) -> dict[str, Any]:
    defaults, options = vars(ModelOptions()), dict(plan.options)
    if isinstance(options.get("input_size"), list):
        options["input_size"] = tuple(options["input_size"])
    for name, value in requested.items():
        if value == defaults[name] or _same(value, options.get(name)):
            continue
        if name not in _OTHER_NUMBERS:
            raise UsageError(
                f"the plan was made with another {name.replace('_', ' ')}",
                why=f"{options.get(name, defaults[name])} when it was tuned, {value} now",
                hint="leave the option out, or tune with it",
            )
        options[name] = value
    return options


def _same(a: object, b: object) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return list(cast(Sequence[object], a)) == list(cast(Sequence[object], b))
    return (a, a) == b if isinstance(a, int) and isinstance(b, tuple) else a == b
