"""`edgevit bisect`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from edgevit.cli.measuring import add_quiet
from edgevit.cli.trust import add_trust
from edgevit.support.terminal import show


def add_bisect(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
) -> None:
    parser = command("bisect", run_bisect, "Find the first operation where an exported artifact departs from its model.")  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote, in fp32 or fp16.")  # fmt: skip
    parser.add_argument(
        "--image",
        metavar="P",
        help="Picture to run on, through the recorded preprocessing [default: the example, and inputs of other statistics].",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="Folder for the minimal net and the text of an issue [default: DIR-bisect].",
    )
    add_trust(parser)
    add_quiet(parser)


def run_bisect(options: argparse.Namespace) -> int:
    from edgevit.bisect import bisect

    result = bisect(
        options.folder,
        image=options.image,
        output=options.output,
        trust=options.trust,
        progress=options.progress,
    )
    show(json.dumps(result.as_dict(), allow_nan=False) if options.json else result)
    return 0 if result.passed else 9
