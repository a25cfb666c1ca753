"""`edgevit quantize`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from edgevit.support.terminal import show

ModelOptions = Callable[[argparse.Namespace], dict[str, Any]]


def add_quantize(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
    add_model: Callable[[argparse.ArgumentParser], None],
    model_options: ModelOptions,
) -> None:
    def run(options: argparse.Namespace) -> int:
        return run_quantize(options, model_options)

    parser = command("quantize", run, "Show what integers do to a model, layer by layer, without exporting it.")  # fmt: skip
    parser.when_used(lambda parser: _add_words(parser, add_model))  # type: ignore[attr-defined]


def _add_words(
    parser: argparse.ArgumentParser, add_model: Callable[[argparse.ArgumentParser], None]
) -> None:
    from edgevit.cli.backend_words import add_backend_words

    add_model(parser)
    parser.add_argument(
        "--target", required=True, metavar="T", help="Device: `edgevit targets` lists them."
    )
    parser.add_argument("--format", metavar="F", help="Format [default: the target's first].")
    parser.add_argument(
        "--precision", default="int8", metavar="P", help="Precision in integers [default: int8]."
    )
    add_backend_words(parser)


def run_quantize(options: argparse.Namespace, model_options: ModelOptions) -> int:
    from edgevit.cli.backend_words import backend_options_of, calibration_of
    from edgevit.export import quantize

    report = quantize(
        options.model,
        target=options.target,
        format=options.format,
        precision=options.precision,
        lossy=options.lossy,
        without=options.without,
        backend_options=backend_options_of(options),
        calibration=calibration_of(options),
        progress=options.progress,
        **model_options(options),
    )
    show(json.dumps(report.as_dict(), allow_nan=False) if options.json else report)
    return 0
