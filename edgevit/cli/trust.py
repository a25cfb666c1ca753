"""`--trust` option of the commands that read exported folders."""

from __future__ import annotations

import argparse


def add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust", action="store_true", help="Run code in a folder that you have not exported on this machine."
    )  # fmt: skip
