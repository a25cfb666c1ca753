"""`edgevit sweep`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edgevit.cli.measuring import add_quiet, add_rounds
from edgevit.support import option_values as values
from edgevit.support.terminal import show

Command = Callable[[str, Callable[..., int], str], argparse.ArgumentParser]


def add_sweep(command: Command) -> None:
    parser = command(
        "sweep", run_sweep, "Export and measure models x targets x precisions, on many workers."
    )
    parser.add_argument(
        "--models", nargs="+", required=True, metavar="MODEL", help="Models, as in `export`."
    )
    parser.add_argument(
        "--targets",
        nargs="+",
        action=values.Words,
        required=True,
        metavar="T",
        help="Devices to export for.",
    )
    parser.add_argument(
        "--formats", metavar="F,...", help="Formats [default: each target's first]."
    )
    parser.add_argument(
        "--precisions", metavar="P,...", help="Precisions [default: each target's first]."
    )
    parser.add_argument(
        "--on",
        metavar="R",
        help="Where to measure [default: here or on the emulator, as the format allows].",
    )
    parser.add_argument("--weights", metavar="W", help="Weights, as in `export`.")
    parser.add_argument("--input-size", metavar="N", help="Size of the image, as in `export`.")
    add_rounds(parser)
    parser.add_argument(
        "--workers",
        type=values.count,
        default=2,
        metavar="N",
        help="Workers on this machine [default: 2].",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDR", help="Scheduler of a Dask cluster, in place of workers here."
    )
    parser.add_argument(
        "-o",
        "--output",
        default="out/sweep",
        metavar="DIR",
        help="Folder to write [default: out/sweep].",
    )
    add_quiet(parser)


def run_sweep(options: argparse.Namespace) -> int:
    from edgevit.support.progress import Stages
    from edgevit.sweep import MARKDOWN, Result, jobs_of, run_jobs, table, write_sweep

    words = ["--weights", options.weights] if options.weights else []
    words += ["--input-size", options.input_size] if options.input_size else []
    formats, precisions = _words(options.formats), _words(options.precisions)
    jobs = jobs_of(
        options.models, options.targets, formats, precisions, options.on, words, options.rounds
    )
    output = Path(options.output)
    progress = Stages(options.progress)

    def on_result(result: Result, pending: int) -> None:
        job = result.job
        what = result.error or ("done" if result.passed else "NOT the same as the model")
        progress.say(f"{job['model']} for {job['target']}, {job['format']}: {what}; {pending} left")

    results_by_key = run_jobs(
        jobs, output, scheduler=options.scheduler, workers=options.workers, on_result=on_result
    )
    results = [results_by_key[job.key] for job in jobs]
    write_sweep(results, output, _command(options))
    if options.json:
        show(json.dumps({"results": [asdict(r) for r in results]}, allow_nan=False))
    else:
        show("\n".join([*table(results), "", f"in {output}: {MARKDOWN}, JSON and a picture"]))
    return 0 if all(result.passed for result in results) else 9


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _command(options: argparse.Namespace) -> str:
    words = ["edgevit sweep --models", *options.models, "--targets", *options.targets]
    words += ["--formats", options.formats] if options.formats else []
    words += ["--precisions", options.precisions] if options.precisions else []
    return " ".join(words)
