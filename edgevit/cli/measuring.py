"""Options that several commands which measure have in common."""

from __future__ import annotations

import argparse

from edgevit.support import option_values as values


def add_rounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rounds",
        type=values.count,
        default=20,
        metavar="N",
        help="Rounds of measurement [default: 20].",
    )


def add_threads(parser: argparse.ArgumentParser, threads: str = "Threads of the runtime") -> None:
    parser.add_argument(
        "--threads",
        type=values.threads,
        default=0,
        metavar="N",
        help=f"{threads} [default: one a core].",
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="Show no progress on stderr.")
