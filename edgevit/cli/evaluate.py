"""`edgevit evaluate`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from edgevit.cli.export import read_labels
from edgevit.cli.measuring import add_quiet
from edgevit.cli.trust import add_trust
from edgevit.support import option_values as values
from edgevit.support.terminal import show


def add_evaluate(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
) -> None:
    parser = command("evaluate", run_evaluate, "Measure an exported folder's accuracy on labelled data.")  # fmt: skip
    parser.add_argument("folders", nargs="+", metavar="DIR", help="Folders that `export` wrote.")
    parser.add_argument(
        "--data",
        required=True,
        metavar="PATH",
        help="Folder with a folder a class, or with labels.csv (file,label), or an .npz of images and labels.",
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="File with the name of each output, one a line."
    )
    parser.add_argument(
        "--count",
        type=values.count,
        metavar="N",
        help="Number of samples, drawn evenly [default: all].",
    )
    add_trust(parser)
    add_quiet(parser)


def run_evaluate(options: argparse.Namespace) -> int:
    from pathlib import Path

    from edgevit.evaluate import evaluate
    from edgevit.exported import expand_folders

    labels = read_labels(options.labels)
    results = [
        evaluate(
            folder,
            options.data,
            labels=labels,
            count=options.count,
            trust=options.trust,
            progress=options.progress,
        )
        for folder in expand_folders([Path(folder) for folder in options.folders])
    ]
    if options.json:
        show(json.dumps({"evaluations": [one.as_dict() for one in results]}, allow_nan=False))
    else:
        show("\n".join(map(str, results)))
    return 0
