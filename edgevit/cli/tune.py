"""`edgevit tune`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edgevit.cli.measuring import add_rounds
from edgevit.cli.parser import Parser
from edgevit.errors import UsageError
from edgevit.support import option_values as values
from edgevit.support.terminal import show

if TYPE_CHECKING:
    from edgevit.tune import Tuned

Command = Callable[[str, Callable[..., int], str], Parser]
Add = Callable[[argparse.ArgumentParser], None]
Read = Callable[[argparse.Namespace], Any]


def add_tune(command: Command, add_model: Add, read_model: Read) -> None:
    def run(options: argparse.Namespace) -> int:
        return run_tune(options, read_model(options))

    text = "Choose the format, precision, form of the graph and schedule by measuring."
    parser = command("tune", run, text)
    parser.when_used(partial(_add_words, add_model))


def _add_words(add_model: Add, parser: argparse.ArgumentParser) -> None:
    from edgevit.cli.backend_words import add_backend_words

    add_model(parser)
    parser.add_argument(
        "--target",
        required=True,
        metavar="T",
        help="Device to tune for; `edgevit targets` lists them.",
    )
    parser.add_argument(
        "--on", default="local", metavar="R", help="Where to measure, as in `profile` [default: local]."
    )  # fmt: skip
    parser.add_argument(
        "--budget", default="10m", metavar="B", help="Time (90s, 10m, 1h) or number of trials [default: 10m]."
    )  # fmt: skip
    parser.add_argument(
        "--max-drop",
        type=values.drop,
        metavar="D",
        help="Try lossy steps too; refuse those with 1 - cosine to the model above D.",
    )
    parser.add_argument(
        "--evaluate", metavar="PATH", help="Labelled data to measure each artifact's accuracy on."
    )
    parser.add_argument(
        "--max-top1-drop",
        type=values.points,
        metavar="POINTS",
        help="Try lossy steps too; refuse those that lose more points of top-1 on it.",
    )
    parser.add_argument(
        "--format",
        metavar="F,...",
        help="Formats to try [default: all of the target's that can be measured].",
    )
    add_rounds(parser)
    parser.add_argument(
        "--store", metavar="URL", help="Store of measurements: a file, or postgresql://..."
    )
    parser.add_argument(
        "--study",
        metavar="URL",
        help="Study with the trials: a file, or postgresql://... [default: a file in DIR].",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="Folder to write [default: out/MODEL-TARGET-tuned]."
    )
    add_backend_words(parser)


def run_tune(options: argparse.Namespace, model: dict[str, Any]) -> int:
    from edgevit.cli.backend_words import backend_options_of, calibration_of
    from edgevit.tune import tune

    _require_free(options)
    tuned = tune(
        options.model,
        target=options.target,
        on=options.on,
        budget=options.budget,
        max_drop=options.max_drop,
        evaluate=options.evaluate,
        max_top1_drop=options.max_top1_drop,
        formats=options.format.split(",") if options.format else None,
        rounds=options.rounds,
        output=options.output,
        store=options.store,
        study=options.study,
        backend_options=backend_options_of(options),
        calibration=calibration_of(options),
        progress=options.progress,
        **model,
    )
    show(json.dumps(tuned.as_dict()) if options.json else _text(tuned))
    return 0


def _require_free(options: argparse.Namespace) -> None:
    """Refuse options that the search itself chooses."""
    from edgevit.cli.backend_words import chosen_by_search

    searched = {
        "--lossy": options.lossy,
        "--without": options.without,
        **dict.fromkeys(chosen_by_search(options), True),
    }
    for word in (word for word, value in searched.items() if value):
        raise UsageError(f"{word} is for the search to choose", hint=f"leave {word} out")


def _text(tuned: Tuned) -> str:
    from edgevit.tune import point_text

    plan = tuned.plan
    done = sum(bool(trial.values) for trial in tuned.tried)
    rows = [
        f"{plan.model} for {plan.target}: {done} trials, {len(tuned.tried) - done} refused",
        f"  verdict    {plan.verdict}",
    ]
    chosen = ", ".join(f"{k}={v}" for k, v in plan.chosen.items()) or "all at their defaults"
    rows.append(f"  choices    {plan.format} {plan.precision}, {chosen}")
    if len(tuned.pareto_front) > 1:
        rows += ["", "  emulated   RAM, bytes  instructions"]
        for trial in tuned.pareto_front:
            figures = trial.result["figures"]
            text = point_text(trial.point, tuned.space)
            rows.append(f"{figures['ram_bytes']:>23,}  {figures['instructions']:>12,}  {text}")
    again = f"edgevit export {plan.model} --target {plan.target} --plan {tuned.file}"
    return "\n".join([*rows, "", f"  again      {again}"])
