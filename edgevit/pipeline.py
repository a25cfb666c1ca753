"""The spine: resolve -> capture -> rewrite -> lower -> verify, and what each stage leaves in the report."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import torch
from torch.utils._pytree import tree_leaves

from edgevit import __version__
from edgevit.backends.artifact import Artifact
from edgevit.backends.backend import Backend, Expected, Lowering, backend_for
from edgevit.errors import UsageError, suggest
from edgevit.frontend.capture import capture
from edgevit.frontend.pixels import takes_pixels
from edgevit.frontend.request import file_safe
from edgevit.frontend.resolve import resolve
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.output import MANIFEST, listed_files, remove, require_space, staged
from edgevit.parity import FP32, Parity, distance
from edgevit.report import GraphReport, export_manifest, inspect_report, summary
from edgevit.rewrites import engine
from edgevit.rewrites.report import RewriteReport
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD
from edgevit.stages import Stages
from edgevit.targets import Target, load_target


@dataclass(frozen=True)
class ModelOptions:
    """How the model is built and fed; the same words on the command line."""

    weights: str | None = None
    input_size: int | tuple[int, int] | None = None
    batch: int = 1
    seed: int = 0
    trust: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    labels: Sequence[str] | None = None
    image_input: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What `edgevit export` leaves. `passed` is whether every stage computes the same thing."""

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


def export(
    model: str,
    *,
    target: str,
    output: str | Path | None = None,
    format: str | None = None,
    precision: str | None = None,
    without: Sequence[str] = (),
    progress: TextIO | None = None,
    **options: object,
) -> ExportResult:
    """Model in, checked artifact out. Raises an `EdgevitError` when there is no way to that."""
    model_options = ModelOptions(**options)  # type: ignore[arg-type]
    aim = load_target(target)
    chosen = aim.format(format)
    chosen_precision = aim.precision(precision)
    backend = backend_for(chosen, aim)
    rules = _rules(backend, without)
    stages = Stages(progress)
    directory = Path(output) if output is not None else Path("out") / f"{_slug(model)}-{aim.name}"
    with staged(directory) as draft:
        source, program = _front(model, model_options, stages)
        with torch.no_grad():
            expected = _outputs(source)
        rewritten, rewrites = _rewrite(program, rules, stages)
        parity = [Parity("rewritten", "fp32", distance(expected, rewritten.run()), FP32)]
        require_space(draft, 2 * _constant_bytes(rewritten) + (1 << 20))
        with stages.stage("lower", f"lower for {aim.title}"):
            artifact = backend.lower(
                Lowering(
                    rewritten,
                    source,
                    aim,
                    chosen_precision,
                    draft,
                    stages.note,
                    model_options.image_input,
                )
            )
        with stages.stage("verify", f"check the saved {chosen} artifact"):
            parity += backend.check(artifact, Expected(source.inputs, expected, rewritten))
        manifest = _leave(draft, source, aim, artifact, rewrites, parity, stages)
    return ExportResult(
        directory, directory / artifact.path.name, tuple(parity), rewrites, manifest
    )


def inspect(
    model: str,
    *,
    target: str | None = None,
    without: Sequence[str] = (),
    progress: TextIO | None = None,
    **options: object,
) -> GraphReport:
    """The graph and what would be rewritten, without lowering. With no target: the rules all targets share."""
    model_options = ModelOptions(**options)  # type: ignore[arg-type]
    aim = load_target(target) if target is not None else None
    rules = _rules(backend_for(aim.backend, aim) if aim else None, without)
    stages = Stages(progress)
    source, program = _front(model, model_options, stages)
    rewritten, rewrites = _rewrite(program, rules, stages)
    return inspect_report(source, program, rewritten, rewrites, aim)


def _front(model: str, options: ModelOptions, stages: Stages) -> tuple[ModelSource, Program]:
    with stages.stage("resolve", f"build {model}"):
        source = resolve(
            model,
            weights=options.weights,
            input_size=options.input_size,
            batch=options.batch,
            seed=options.seed,
            trust=options.trust,
            mean=options.mean,
            std=options.std,
            labels=options.labels,
        )
        if options.image_input:
            source = takes_pixels(source)
    with stages.stage("capture", "capture the graph"):
        return source, capture(source)


def _rewrite(
    program: Program, rules: Sequence[AnyRule], stages: Stages
) -> tuple[Program, RewriteReport]:
    with stages.stage("rewrite", f"rewrite, {len(rules)} rules, each proven"):
        return engine.run(program, rules, stages.note)


def _leave(
    draft: Path,
    source: ModelSource,
    target: Target,
    artifact: Artifact,
    rewrites: RewriteReport,
    parity: Sequence[Parity],
    stages: Stages,
) -> dict[str, object]:
    """Writes the manifest and the summary beside the artifact; what was only there to be checked goes."""
    if artifact.reference is not None:
        remove(artifact.reference)
    versions = {
        "edgevit": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **artifact.versions,
    }
    manifest = export_manifest(source, target, artifact, rewrites, parity, stages, versions)
    (draft / "summary.txt").write_text(summary({**manifest, "files": listed_files(draft)}) + "\n")
    manifest["files"] = listed_files(draft)
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
    return manifest


def _rules(backend: Backend | None, without: Sequence[str]) -> tuple[AnyRule, ...]:
    rules = backend.rules if backend else STANDARD
    known = {rule.name for rule in rules}
    for name in without:
        if name not in known:
            raise UsageError(f"no rule is called `{name}`", hint=suggest(name, known))
    return tuple(rule for rule in rules if rule.name not in without)


def _outputs(source: ModelSource) -> tuple[torch.Tensor, ...]:
    """What the model itself computes, in eager mode."""
    leaves = tree_leaves(source.module(*source.inputs))
    return tuple(leaf for leaf in leaves if isinstance(leaf, torch.Tensor))


def _constant_bytes(program: Program) -> int:
    return sum(t.numel() * t.element_size() for t in program.constants.values())


def _slug(model: str) -> str:
    """A folder name: `shvit_s1` for `timm:shvit_s1`, `net` for `path/net.py:build`."""
    scheme, _, rest = model.rpartition(":")
    name = rest if scheme in {"", "timm", "hf"} else scheme
    return file_safe(Path(name.rstrip("/")).name.removesuffix(".py").removesuffix(".pt2"))
