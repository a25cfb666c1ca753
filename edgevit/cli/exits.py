"""`edgevit exits`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from edgevit.support import option_values as values
from edgevit.support.terminal import show

Add = Callable[[argparse.ArgumentParser], None]
Read = Callable[[argparse.Namespace], dict[str, Any]]


def add_exits(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
    add_model: Add,
    read_model: Read,
) -> None:
    def run(options: argparse.Namespace) -> int:
        return run_exits(options, read_model(options))

    parser = command(
        "exits", run, "Export a classifier with early exits, and choose when to leave."
    )
    parser.when_used(lambda parser: _add_words(parser, add_model))  # type: ignore[attr-defined]


def _add_words(parser: argparse.ArgumentParser, add_model: Add) -> None:
    add_model(parser)
    parser.add_argument(
        "--target", required=True, metavar="T", help="Device: `edgevit targets` lists them."
    )
    parser.add_argument(
        "--format",
        metavar="F",
        help="Format of the parts [default: the target's first that can be].",
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="PATH",
        help="Labelled data that the model was not trained on, to choose the thresholds on.",
    )
    parser.add_argument(
        "--count", type=values.count, metavar="N", help="Number of its samples [default: all]."
    )
    parser.add_argument(
        "--max-drop",
        type=values.points,
        default=0.5,
        metavar="POINTS",
        help="Points of top-1 that may be lost on the last exit's [default: 0.5].",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="Folder to write.")


def run_exits(options: argparse.Namespace, model: dict[str, Any]) -> int:
    from edgevit.exits import export_exits

    exits = export_exits(
        options.model,
        target=options.target,
        data=options.data,
        output=options.output,
        format=options.format,
        max_drop=options.max_drop,
        count=options.count,
        progress=options.progress,
        **model,
    )
    show(json.dumps(exits.plan) if options.json else exits)
    return 0
