"""`edgevit search`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from edgevit.cli.measuring import add_quiet
from edgevit.cli.parser import Parser
from edgevit.support import option_values as values
from edgevit.support.terminal import show

Command = Callable[[str, Callable[..., int], str], Parser]
_COUNT = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def add_search(command: Command) -> None:
    text = "Search for a net that fits a microcontroller: planned, trained, exported and run."
    command("search", run_search, text).when_used(_add_words)


def _add_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "space", metavar="SPACE", help="Space of nets: vit, or an object of yours, nets.py:SPACE."
    )
    parser.add_argument("--target", required=True, metavar="T", help="Microcontroller to search for.")  # fmt: skip
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="Labelled data to train on and choose by: class folders, labels.csv or an .npz.",
    )
    parser.add_argument("--test", metavar="PATH", help="Labelled data to score the front on.")
    parser.add_argument(
        "--beat",
        metavar="MODEL",
        help="Net to train and run first: no other may take more RAM or instructions.",
    )
    for name, text in (("ram", "RAM of the firmware"), ("flash", "Flash of the firmware")):
        parser.add_argument(
            f"--max-{name}", type=values.memory, metavar="N", help=f"{text} at most, such as 320K."
        )
    parser.add_argument(
        "--max-instructions",
        type=_instructions,
        metavar="N",
        help="Instructions of one inference at most, such as 20M.",
    )
    parser.add_argument(
        "--train",
        metavar="F",
        help="Function of yours that trains and scores a net, train.py:FUNCTION [default: built in].",
    )
    parser.add_argument(
        "--calibrate", metavar="PATH", help="Inputs for the ranges of integers [default: the data]."
    )
    parser.add_argument(
        "--proxy",
        default="entropy",
        metavar="P",
        help="Order the first nets by entropy, saliency, none, or score.py:FUNCTION [default: entropy].",
    )
    parser.add_argument(
        "--budget", default="10m", metavar="B", help="Time (90s, 10m, 1h) or number of nets [default: 10m]."
    )  # fmt: skip
    parser.add_argument("--epochs", type=values.count, default=25, metavar="N", help="Epochs of the built-in training [default: 25].")  # fmt: skip
    parser.add_argument("--input-size", type=values.pictures, metavar="N", help="Pixels of the built-in space's pictures [default: as the data has].")  # fmt: skip
    parser.add_argument("--population", type=values.pictures, default=12, metavar="N", help="Nets of a generation [default: 12].")  # fmt: skip
    parser.add_argument("--seed", type=values.seed, default=0, metavar="N", help="Seed of all that is drawn [default: 0].")  # fmt: skip
    parser.add_argument("--study", metavar="URL", help="Study with the trials: a file, or postgresql://... [default: a file in DIR].")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="DIR", help="Folder to write [default: out/SPACE-TARGET-search].")  # fmt: skip
    parser.add_argument("--trust", action="store_true", help="Run code found in weight files.")
    add_quiet(parser)


def _instructions(text: str) -> int:
    number = text.strip().lower()
    unit = number[-1:] if number[-1:] in {"k", "m", "g"} else ""
    try:
        count = float(number.removesuffix(unit)) * _COUNT[unit]
    except ValueError:
        count = 0.0
    if not 1 <= count <= 1e12:
        raise argparse.ArgumentTypeError(f"`{text[:40]}` is not a number with one of K, M, G")
    return int(count)


def run_search(options: argparse.Namespace) -> int:
    from edgevit.search import NetLimits, front_text, search

    searched = search(
        options.space,
        target=options.target,
        data=options.data,
        test=options.test,
        beat=options.beat,
        limits=NetLimits(options.max_ram, options.max_flash, options.max_instructions),
        train=options.train,
        calibrate=options.calibrate,
        proxy=options.proxy,
        budget=options.budget,
        epochs=options.epochs,
        input_size=options.input_size,
        population=options.population,
        seed=options.seed,
        output=options.output,
        study=options.study,
        trust=options.trust,
        progress=options.progress,
    )
    show(json.dumps(searched.as_dict()) if options.json else front_text(searched))
    return 0
