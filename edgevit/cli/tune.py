"""`edgevit tune`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgevit.cli.backend_words import (
    add_backend_words,
    backend_options_of,
    calibration_of,
    chosen_by_search,
)
from edgevit.errors import UsageError
from edgevit.support import option_values as values
from edgevit.support.terminal import show

if TYPE_CHECKING:
    from edgevit.tune import Tuned

Command = Callable[[str, Callable[..., int], str], argparse.ArgumentParser]
Add = Callable[[argparse.ArgumentParser], None]
Read = Callable[[argparse.Namespace], Any]


def add_tune(command: Command, add_model: Add, read_model: Read) -> None:
    def run(options: argparse.Namespace) -> int:
        return run_tune(options, read_model(options))

    parser = command("tune", run, "choose by measuring: forms, formats, precisions, schedules")
    add_model(parser)
    parser.add_argument("--target", required=True, metavar="T", help="see `edgevit targets`")
    parser.add_argument(
        "--on", default="local", metavar="R", help="where to measure, as in `profile` (default: local)"
    )  # fmt: skip
    parser.add_argument(
        "--budget", default="10m", metavar="B", help="10m, 90s, 1h, or a number of trials (default: 10m)"
    )  # fmt: skip
    parser.add_argument(
        "--max-drop",
        type=values.drop,
        metavar="D",
        help="offer lossy steps too, and refuse what is further from the model: 1 - cosine",
    )
    parser.add_argument(
        "--format", metavar="F,...", help="(default: all of the target's that can be measured)"
    )
    parser.add_argument(
        "--rounds", type=values.count, default=20, metavar="N", help="(default: 20)"
    )
    parser.add_argument(
        "--store", metavar="URL", help="of measurements: a file, or postgresql://..."
    )
    parser.add_argument(
        "--study", metavar="URL", help="of trials: a file (default: in DIR), or postgresql://..."
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="where to (default: out/MODEL-TARGET-tuned)"
    )
    add_backend_words(parser)


def run_tune(options: argparse.Namespace, model: dict[str, Any]) -> int:
    from edgevit.tune import tune

    _require_free(options)
    found = tune(
        options.model,
        target=options.target,
        on=options.on,
        budget=options.budget,
        max_drop=options.max_drop,
        formats=options.format.split(",") if options.format else None,
        rounds=options.rounds,
        output=options.output,
        store=options.store,
        study=options.study,
        backend_options=backend_options_of(options),
        calibration=calibration_of(options),
        progress=None if options.quiet else sys.stderr,
        **model,
    )
    show(json.dumps(found.as_dict()) if options.json else _text(found))
    return 0


def _require_free(options: argparse.Namespace) -> None:
    """Refuse options that the search itself chooses."""
    given = {
        "--lossy": options.lossy,
        "--without": options.without,
        **dict.fromkeys(chosen_by_search(options), True),
    }
    for word in (word for word, value in given.items() if value):
        raise UsageError(f"{word} is for the search to choose", hint=f"leave {word} out")


def _text(found: Tuned) -> str:
    from edgevit.tune import point_text

    plan = found.plan
    done = sum(bool(trial.values) for trial in found.tried)
    rows = [
        f"{plan.model} for {plan.target}: {done} trials, {len(found.tried) - done} refused",
        f"  verdict    {plan.verdict}",
    ]
    chosen = ", ".join(f"{k}={v}" for k, v in plan.chosen.items()) or "all at their defaults"
    rows.append(f"  choices    {plan.format} {plan.precision}, {chosen}")
    if len(found.front) > 1:
        rows += ["", "  emulated   RAM, bytes  instructions"]
        for trial in found.front:
            figures = trial.result["figures"]
            text = point_text(trial.point, found.space)
            rows.append(f"{figures['ram_bytes']:>23,}  {figures['instructions']:>12,}  {text}")
    again = f"edgevit export {plan.model} --target {plan.target} --plan {found.file}"
    return "\n".join([*rows, "", f"  again      {again}"])
