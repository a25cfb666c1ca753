"""`edgevit check`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Mapping

from edgevit.cli.measuring import add_quiet, add_rounds, add_threads
from edgevit.cli.trust import add_trust
from edgevit.errors import BudgetError, OutputError
from edgevit.support.terminal import show

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)")
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_BYTES = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3}  # fmt: skip
_COUNT = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}


def add_check(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command("check", run_check, "Check exported folders against budgets, for CI.")
    parser.add_argument("folders", nargs="+", metavar="DIR", help="Folders that `export` wrote.")
    for name, units, text in (
        ("latency", _TIME, "Highest median latency on the target, such as 5ms."),
        (
            "size",
            _BYTES,
            "Highest size of what goes to the device, such as 4MB (K, M, G are powers of 1024).",
        ),
        (
            "ram",
            _BYTES,
            "Highest RAM, such as 100KB: of firmware, emulated (arena, static data and stack); of an NPU, predicted.",
        ),
        ("flash", _BYTES, "Highest flash of firmware, such as 1MB."),
        ("instructions", _COUNT, "Most instructions of firmware for one inference, such as 55M."),
        ("cycles", _COUNT, "Most cycles of an NPU for one inference, as its compiler predicts."),
    ):
        parser.add_argument(f"--max-{name}", type=_quantity(units), metavar="N", help=text)
    parser.add_argument(
        "--min-cosine",
        type=_cosine,
        metavar="C",
        help="Lowest cosine of the outputs, such as 0.999.",
    )
    parser.add_argument(
        "--here", action="store_true", help="Count latency on this machine, whatever the target."
    )
    add_threads(parser, "Threads for --max-latency")
    add_rounds(parser)
    add_trust(parser)
    parser.add_argument("--junit", metavar="FILE", help="Write a JUnit report to this file.")
    add_quiet(parser)


def run_check(options: argparse.Namespace) -> int:
    from pathlib import Path

    from edgevit.budgets import Budgets, Here, check, check_text, checks_dict, junit
    from edgevit.exported import expand_folders
    from edgevit.support.progress import Stages

    progress = Stages(options.progress)
    budgets = Budgets(
        options.max_latency,
        options.max_size,
        options.max_ram,
        options.max_flash,
        options.max_instructions,
        options.min_cosine,
        options.max_cycles,
    )
    here = Here(
        options.here,
        max(options.threads, 0),
        max(options.rounds, 1),
        options.trust,
        progress.note,
    )
    folders = expand_folders([Path(folder) for folder in options.folders])
    checks = [check(folder, budgets, here) for folder in folders]
    progress.clear()
    if options.junit:
        try:
            Path(options.junit).write_text(junit(checks), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {options.junit}", why=str(error)) from error
    show(json.dumps(checks_dict(checks)) if options.json else "\n".join(map(check_text, checks)))
    return 0 if all(check.passed for check in checks) else BudgetError.exit_code


def _quantity(units: Mapping[str, float]) -> Callable[[str], float]:
    def quantity(text: str) -> float:
        match = _QUANTITY.fullmatch(text.strip())
        unit = match[2].lower() if match else ""
        if match is None or unit not in units or not 0 < float(match[1]) < math.inf:
            unit_names = ", ".join(name for name in units if name)
            raise argparse.ArgumentTypeError(f"`{text}` is not a number with one of {unit_names}")
        return float(match[1]) * units[unit]

    return quantity


def _cosine(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a cosine: 0.999")
    return value
