"""Trade-off pictures of a sweep or tuning run, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError, UsageError
from edgevit.exported import Trade
from edgevit.support.pareto_plot import Dot, Panel, pareto_svg
from edgevit.support.shape import (
    Anything,
    Either,
    Listing,
    Null,
    Number,
    Table,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import read_json
from edgevit.sweep import panels, result_of

_FIGURES = Table(
    dict.fromkeys(("instructions", "ram_bytes", "ms"), Number()),
    optional=("instructions", "ram_bytes", "ms"),
    others=Anything(),
)
_TRIAL = Table(
    {"number": WholeNumber(0, 1 << 62), "figures": _FIGURES, "drop": Either((Number(), Null()))},
    optional=("figures", "drop"),
    others=Anything(),
)
_TRIALS = Listing(_TRIAL)
_SWEPT = Table({"results": Listing(Anything())}, others=Anything())


def read_trade(path: Path) -> Trade:
    """Read the output folder of `edgevit sweep` or `edgevit tune`, or the JSON file in it."""
    if path.is_dir():
        files = [path / name for name in ("sweep.json", "trials.json") if (path / name).is_file()]
        if not files:
            raise UsageError(
                f"{path} holds neither sweep.json nor trials.json",
                hint="give a folder that `edgevit sweep` or `edgevit tune` wrote",
            )
        path = files[0]
    try:
        content = read_json(path)
        if isinstance(content, dict):
            require_shape(content, _SWEPT)
            drawn = panels([result_of(entry) for entry in content["results"]])
        else:
            require_shape(content, _TRIALS)
            drawn = _tuned(content)
    except (OSError, ValueError, KeyError, EdgevitError) as error:
        raise UsageError(
            "the trade-offs cannot be read",
            where=str(path),
            why=str(error) or type(error).__name__,
            hint="give the trials.json of a tuning or the JSON of a sweep",
        ) from error
    return Trade(f"{path.parent.name}/{path.name}", pareto_svg(drawn))


def _tuned(trials: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Plot RAM over instructions for firmware, and cosine drop over latency otherwise."""
    done = [trial for trial in trials if trial.get("figures")]
    firmware = [t for t in done if "instructions" in t["figures"]]
    if firmware:
        dots = [Dot(t["figures"]["instructions"], t["figures"]["ram_bytes"], f"#{t['number']}") for t in firmware]  # fmt: skip
        return [Panel("trials, emulated", "instructions", "RAM, bytes", tuple(dots))]
    timed = [t for t in done if "ms" in t["figures"]]
    dots = [Dot(t["figures"]["ms"], float(t.get("drop") or 0), f"#{t['number']}") for t in timed]
    return [Panel("trials, measured", "latency, ms", "drop", tuple(dots))]
