"""`edgevit split`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from edgevit.support import option_values as values
from edgevit.support.terminal import show

Add = Callable[[argparse.ArgumentParser], None]
Read = Callable[[argparse.Namespace], dict[str, Any]]


def add_split(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
    add_model: Add,
    read_model: Read,
) -> None:
    def run(options: argparse.Namespace) -> int:
        return run_split(options, read_model(options))

    parser = command("split", run, "Cut a model for several devices in a row.")
    parser.when_used(lambda parser: _add_words(parser, add_model))  # type: ignore[attr-defined]


def _add_words(parser: argparse.ArgumentParser, add_model: Add) -> None:
    add_model(parser)
    parser.add_argument(
        "--targets",
        required=True,
        metavar="A,B",
        help="Devices, in the order of the parts: `edgevit targets` lists them.",
    )
    parser.add_argument(
        "--format",
        metavar="F,F",
        help="Formats of the parts [default: each device's first that can be].",
    )
    parser.add_argument(
        "--rates",
        type=values.numbers,
        metavar="R,R",
        help="Million multiply-accumulates a second of each device [default: all the same].",
    )
    parser.add_argument(
        "--link",
        default="int8",
        metavar="TYPE",
        help="Type of floats between the parts: int8 or float32 [default: int8].",
    )
    parser.add_argument(
        "--link-rate",
        type=values.memory,
        default=10_000_000,
        metavar="BYTES",
        help="Bytes a second that a link sends, such as 1M [default: 10M].",
    )
    parser.add_argument(
        "--link-delay",
        type=values.milliseconds,
        default=1.0,
        metavar="MS",
        help="Milliseconds that a message takes beside its bytes [default: 1].",
    )
    parser.add_argument(
        "--calibrate",
        metavar="PATH",
        help="Pictures or arrays to find the ranges of firmware on [default: generated ones].",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="Folder to write.")


def run_split(options: argparse.Namespace, model: dict[str, Any]) -> int:
    from edgevit.split import export_split

    split = export_split(
        options.model,
        targets=values.words(options.targets),
        formats=values.words(options.format) if options.format else None,
        rates=[1e6 * rate for rate in options.rates] if options.rates else None,
        link=options.link,
        calibrate=options.calibrate,
        link_rate=options.link_rate,
        link_delay=options.link_delay / 1e3,
        output=options.output,
        progress=options.progress,
        **model,
    )
    show(json.dumps(split.plan) if options.json else split)
    return 0
