"""Commands that call the pipeline and print. Each command imports its heavy modules itself."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from edgevit.cli.plan import chosen, export_by_plan
from edgevit.errors import EdgevitError, InternalError, UsageError
from edgevit.support.bug_report import attach_report
from edgevit.support.terminal import show

if TYPE_CHECKING:
    from edgevit.export import ExportResult, ExportResults, GraphReport, Sizes


def run_export(options: argparse.Namespace) -> int:
    from edgevit.export import ExportResults

    if isinstance(options.input_size, list):
        return _export_sizes(options, cast(list[int | tuple[int, int]], options.input_size))
    if options.plan:
        result, note = export_by_plan(options, _model_options(options))
        _show_export(result, options)
        if note and not options.json:
            show(f"  plan       {note}")
        return 0 if result.passed else 9
    result = _exported(options)
    if isinstance(result, ExportResults):
        return _show_exports(result.outcomes, options)
    _show_export(result, options)
    return 0 if result.passed else 9


def _export_sizes(options: argparse.Namespace, sizes: Sequence[int | tuple[int, int]]) -> int:
    """Export each size to a folder of its own, and join them where the format can. A size that fails does not stop the others."""
    from edgevit.export import ExportResults, join_sizes, output_folder
    from edgevit.targets import load_target

    if options.plan:
        raise UsageError(
            "--plan is of one size",
            where="--input-size",
            why="its choices were measured at that size",
            hint="leave --plan out, or name one size",
        )
    target = load_target(options.target)
    root = output_folder(options.output, options.model, target)
    outcomes: dict[str, ExportResult | EdgevitError] = {}
    for size in sizes:
        name = "x".join(map(str, size)) if isinstance(size, tuple) else str(size)
        own = argparse.Namespace(**vars(options) | {"input_size": size, "output": root / name})
        try:
            result = _exported(own)
        except UsageError:
            raise
        except EdgevitError as error:
            outcomes[name] = error
            continue
        if isinstance(result, ExportResults):
            outcomes |= {f"{name}/{format}": one for format, one in result.outcomes.items()}
        else:
            outcomes[name] = result
    return _show_exports(outcomes, options, join_sizes(outcomes, target, root))


def _exported(options: argparse.Namespace) -> ExportResult | ExportResults:
    from edgevit.cli.backend_words import backend_options_of, calibration_of, evaluation_of
    from edgevit.export import export

    several = options.format if options.format and len(options.format) > 1 else None
    return export(
        options.model,
        target=options.target,
        **({"formats": several} if several else {"format": options.format and options.format[0]}),
        output=options.output,
        precision=options.precision,
        lossy=options.lossy,
        without=options.without,
        require_delegated=options.require_delegated,
        require_ane=options.require_ane,
        require_integer=options.require_integer,
        backend_options=backend_options_of(options),
        calibration=calibration_of(options),
        evaluation=evaluation_of(options),
        chosen=chosen(options),
        progress=options.progress,
        **_model_options(options),
    )


def _show_export(result: ExportResult, options: argparse.Namespace) -> None:
    if options.json:
        show(json.dumps(_export_dict(result), allow_nan=False))
        return
    from edgevit.export import rewrite_lines
    from edgevit.exported import lossy_rows, off_engine_lines, outside_lines

    if options.explain:
        show("\n".join(rewrite_lines(result.rewrites)), end="\n\n")
        if result.manifest["lossy"]:
            show("\n".join(["lossy", *lossy_rows(result.manifest, True)]), end="\n\n")
        delegation = result.manifest["delegation"]
        if isinstance(delegation, dict) and delegation["outside"]:
            show("\n".join(outside_lines(delegation)), end="\n\n")
        if off := off_engine_lines(result.manifest):
            show("\n".join(off), end="\n\n")
    show(result)
    show(f"  in         {result.directory}")
    if not result.passed and result.manifest["precision"] in ("fp32", "fp16"):
        show(
            f"  next       edgevit bisect {shlex.quote(str(result.directory))} looks for the first operation that departs"
        )


def _show_exports(
    results: Mapping[str, ExportResult | EdgevitError],
    options: argparse.Namespace,
    sizes: Sizes | None = None,
) -> int:
    errors = [result for result in results.values() if isinstance(result, EdgevitError)]
    for error in errors:
        if isinstance(error, InternalError):
            attach_report(error)
    if options.json:
        entries = {
            format: result.as_dict() if isinstance(result, EdgevitError) else _export_dict(result)
            for format, result in results.items()
        }
        more = {"sizes": sizes.as_dict()} if sizes else {}
        show(json.dumps({"exports": entries, **more}, allow_nan=False))
    for format, result in results.items():
        if isinstance(result, EdgevitError):
            show(f"{format}: {result}", file=sys.stderr)
        elif not options.json:
            _show_export(result, options)
    if sizes and not options.json:
        show(sizes)
    if errors:
        return errors[0].exit_code
    failed = any(not r.passed for r in results.values() if not isinstance(r, EdgevitError))
    return 9 if failed else 0


def _export_dict(result: ExportResult) -> dict[str, object]:
    return {**result.manifest, "directory": str(result.directory)}


def run_run(options: argparse.Namespace) -> int:
    from edgevit.backends import execution_text
    from edgevit.measure import run_firmware

    how = (options.core, options.toolchain, options.emulator)
    execution = run_firmware(options.folder, *how, trust=options.trust)
    show(json.dumps(execution.as_dict()) if options.json else execution_text(execution))
    return 0 if execution.golden_match else 9


def run_simulate(options: argparse.Namespace) -> int:
    from edgevit.measure import simulate_firmware

    simulated = simulate_firmware(options.folder, options.input, options.output)
    show(json.dumps(simulated.as_dict()) if options.json else simulated)
    return 0


def run_verify(options: argparse.Namespace) -> int:
    from pathlib import Path

    from edgevit.exported import expand_folders, verify

    folders = expand_folders([Path(folder) for folder in options.folders])
    verdicts = [verify(folder, trust=options.trust) for folder in folders]
    if options.json:
        show(json.dumps({"verdicts": [v.as_dict() for v in verdicts]}, allow_nan=False))
    else:
        show("\n".join(map(str, verdicts)))
    return 0 if all(verdict.passed for verdict in verdicts) else 9


def run_inspect(options: argparse.Namespace) -> int:
    from edgevit.cli.backend_words import backend_options_of, calibration_of
    from edgevit.export import inspect

    report: GraphReport = inspect(
        options.model,
        target=options.target,
        lossy=options.lossy,
        without=options.without,
        progress=options.progress,
        backend_options=backend_options_of(options),
        calibration=calibration_of(options),
        **_model_options(options),
    )
    if options.json:
        show(json.dumps(report.as_dict(), allow_nan=False))
    else:
        show(report.text if options.graph else report)
    return 0


def run_targets(options: argparse.Namespace) -> int:
    from edgevit.targets import as_dict, describe, list_targets, load_target, table

    if options.name:
        target = load_target(options.name)
        show(json.dumps(as_dict(target)) if options.json else describe(target))
    else:
        targets = list_targets()
        show(
            json.dumps({"targets": [as_dict(t) for t in targets]})
            if options.json
            else table(targets)
        )
    return 0


def run_doctor(options: argparse.Namespace) -> int:
    from edgevit.support.doctor import as_dict, examine, table

    report = examine()
    show(json.dumps(as_dict(report)) if options.json else table(report))
    return 0


def _model_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "weights": options.weights,
        "input_size": options.input_size,
        "batch": options.batch,
        "seed": options.seed,
        "trust": options.trust,
        "mean": options.mean,
        "std": options.std,
        "labels": read_labels(options.labels),
        "image_input": options.image_input,
        "channels_last": options.channels_last,
        "inputs": options.inputs,
        "replace": options.replace,
        "head": options.head,
    }


_MOST_LABELS = 4 << 20  # bytes
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_labels(path: str | None) -> list[str] | None:
    if path is None:
        return None
    from edgevit.support.strangers_text import MalformedTextError, decoded, read_bytes

    try:
        lines = decoded(read_bytes(path, _MOST_LABELS)).split("\n")
        labels = [line.strip() for line in lines if line.strip()]
        if odd := next((line for line in labels if _CONTROL.search(line)), None):
            raise MalformedTextError(f"a control character in {odd[:80]!r}")
    except (OSError, MalformedTextError) as error:
        raise UsageError(
            "cannot read the labels",
            where=path,
            why=str(error),
            hint="a text file in UTF-8, one label a line",
        ) from error
    return labels


def run_matrix(options: argparse.Namespace) -> int:
    from pathlib import Path

    from edgevit.matrix import MARKDOWN, MatrixOptions, matrix, matrix_text, write_matrix
    from edgevit.support.progress import Stages

    progress = Stages(options.progress)
    how = MatrixOptions(
        options.format,
        options.threads,
        options.rounds,
        options.keep,
        options.fresh,
        options.calibrate,
    )
    output = Path(options.output)
    results = matrix(options.models, options.targets, output, how, progress.say)
    write_matrix(results, output, _matrix_command(options))
    show(json.dumps(results.as_dict()) if options.json else matrix_text(results))
    if not options.json:
        show(f"\nin {output}: {MARKDOWN}, JSON and CSV beside it")
    return 0 if results.passed else 9


def _matrix_command(options: argparse.Namespace) -> str:
    words = ["edgevit matrix", *(options.models if len(options.models) <= 4 else ["MODEL..."])]
    words += ["--targets", *options.targets]
    return " ".join(words + (["--format", ",".join(options.format)] if options.format else []))
