"""`edgevit report`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.cli.measuring import add_quiet, add_rounds, add_threads
from edgevit.cli.trust import add_trust
from edgevit.errors import MissingToolError
from edgevit.support.terminal import show

if TYPE_CHECKING:
    from edgevit.measure import Report


def add_report(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command("report", run_report, "Write an exported folder's page again, with latency.")
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote.")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="File to write [default: report.html in DIR]."
    )
    parser.add_argument(
        "--against", metavar="DIR", help="Another export: show what differs, here and on the page."
    )
    parser.add_argument(
        "--profile", action="store_true", help="Measure latency on this machine, op by op."
    )
    parser.add_argument("--trades", action="append", default=[], metavar="PATH", help="Folder of `sweep` or `tune`, whose trade-offs are shown.")  # fmt: skip
    parser.add_argument(
        "--store", metavar="URL", help="Store of figures that were measured before."
    )
    parser.add_argument(
        "--explorer",
        metavar="DIR",
        help="Folder to write Model Explorer's files to: the graph, and an overlay of each figure.",
    )
    parser.add_argument("--open", action="store_true", help="Show the page in the browser.")
    add_trust(parser)
    add_threads(parser, "Threads for --profile")
    add_rounds(parser)
    add_quiet(parser)


def add_open(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command("open", run_open, "Show an exported folder's page in the browser.")
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote.")


def run_open(options: argparse.Namespace) -> int:
    from edgevit.exported import PAGE, read_manifest, require_untouched

    folder = Path(options.folder)
    require_untouched(folder, read_manifest(folder))
    _open(folder / PAGE)
    show(json.dumps({"report": str(folder / PAGE)}) if options.json else f"  in         {folder / PAGE}")  # fmt: skip
    return 0


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise MissingToolError(
            "no browser could be started",
            where="webbrowser",
            why="Python's webbrowser finds none here, or no display",
            hint=f"the page is written; open {page} elsewhere",
        )


def run_report(options: argparse.Namespace) -> int:
    from edgevit.cli.trade_offs import read_trade
    from edgevit.measure import report
    from edgevit.support.progress import Stages

    progress = Stages(options.progress)
    done = report(
        options.folder,
        options.output,
        against=options.against,
        measure=options.profile,
        trades=[read_trade(Path(path)) for path in options.trades],
        store=options.store,
        threads=max(options.threads, 0),
        rounds=max(options.rounds, 1),
        trust=options.trust,
        explorer=options.explorer,
        progress=progress.note,
    )
    progress.clear()
    if options.open:
        _open(done.path)
    show(_as_json(done) if options.json else _as_text(done))
    return 0


def _as_json(done: Report) -> str:
    said: dict[str, object] = {"report": str(done.path)}
    if done.explorer:
        said["explorer"] = [str(path) for path in done.explorer]
    if comparison := done.comparison:
        differences = [one.as_dict() for one in comparison.differences]
        said |= {"against": comparison.second, "differences": differences, "same": comparison.same}
    return json.dumps(said)


def _as_text(done: Report) -> str:
    from edgevit.exported import comparison_text

    rows = [comparison_text(done.comparison)] if done.comparison else []
    rows.append(f"  in         {done.path}")
    if done.explorer:
        graph, *overlays = done.explorer
        rows.append(f"  explore    model-explorer {graph}, then load {', '.join(map(str, overlays))} as custom node data")  # fmt: skip
    return "\n".join(rows)
