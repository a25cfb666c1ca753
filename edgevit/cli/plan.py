"""`edgevit export --plan FILE` and `--choose`: arguments and printed output."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.export import ExportResult


def add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan",
        metavar="FILE",
        help="Plan of `edgevit tune` (plan.toml), whose artifact is exported again.",
    )
    parser.add_argument(
        "--choose",
        action="append",
        default=[],
        metavar="NAME=OPTION,...",
        help="Set choices of the format; docs/tuning.md lists them.",
    )


def chosen(options: argparse.Namespace) -> dict[str, str]:
    from edgevit.support.choice import settings_of

    words = [word.strip() for words in options.choose for word in words.split(",")]
    return settings_of(word for word in words if word)


def export_by_plan(options: argparse.Namespace, model: dict[str, Any]) -> tuple[ExportResult, str]:
    """Export by a plan. Return the result, and a line that compares it to the measured artifact."""
    from pathlib import Path

    from edgevit.cli.backend_words import evaluation_of, flags_of
    from edgevit.export import export_planned, read_plan, same_bytes

    plan = read_plan(Path(options.plan))
    overlapping = {
        "--format": options.format,
        "--precision": options.precision,
        "--lossy": options.lossy,
        "--without": options.without,
        "--choose": options.choose,
        **dict.fromkeys(flags_of(options), True),
    }
    if both := [name for name, value in overlapping.items() if value]:
        raise UsageError(
            f"{both[0]} and --plan both say what to choose",
            hint=f"leave {both[0]} out, or export without the plan",
        )
    progress = options.progress
    result = export_planned(
        plan,
        options.model,
        target=options.target,
        output=options.output,
        progress=progress,
        require_delegated=options.require_delegated,
        require_ane=options.require_ane,
        require_integer=options.require_integer,
        evaluation=evaluation_of(options),
        **model,
    )
    return result, same_bytes(plan, result)
