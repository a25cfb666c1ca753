"""Forecasts from the fitted table, `targets/forecast/fitted.json`, refused outside its range."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgevit.errors import ForecastError
from edgevit.forecast.features import COSTS, Features
from edgevit.forecast.fit import CrossValidation, Fitted, Sample
from edgevit.forecast.published import Device, devices, folder
from edgevit.targets import Target

FITTED = "fitted.json"
_LIMITS = {"macs": "multiply-accumulates", "params": "parameters", "resolution": "pixels a side"}
_SLACK = 1.001  # figures in the table are rounded


@dataclass(frozen=True)
class Quality:
    """Quality of predictions for families held out of the fit."""

    figures: int
    families: int
    median_error: float
    rank_correlation: float
    covered: float


@dataclass(frozen=True)
class Forecast:
    """Forecast in milliseconds.

    `low` to `high` contained the published figure for a share `quality.covered` of the held-out
    predictions.
    """

    device: str
    setting: str
    low: float
    median: float
    high: float
    quality: Quality

    def as_dict(self) -> dict[str, object]:
        return {"kind": "predicted", **asdict(self)}


def forecast(features: Features, target: Target) -> tuple[Forecast, ...]:
    """Return a forecast per published setting of the target's chip.

    Raises `ForecastError` outside the fitted range.
    """
    mine = _of_target(target)
    table = json.loads((folder() / FITTED).read_text())[mine[0].kind]
    _require_range(features, table, mine[0].kind)
    fitted = Fitted(tuple(table["costs"]), table["settings"], {})
    quality, bar = Quality(**table["held_out"]), float(table["bar"])
    forecasts = []
    for device in {d.setting: d for d in mine}.values():
        median = math.exp(fitted.log_ms(features.vector(), device.setting))
        forecasts.append(
            Forecast(target.title, device.shown, median / bar, median, median * bar, quality)
        )
    return tuple(forecasts)


def table_entry(
    samples: Sequence[Sample],
    fitted: Fitted,
    validation: CrossValidation,
    by_net: dict[str, Features],
) -> dict[str, Any]:
    """Return the entry of one kind of device in `fitted.json`."""
    nets = [by_net[sample.net] for sample in samples]
    return {
        "costs": [float(f"{cost:.6g}") for cost in fitted.costs],
        "settings": {key: round(effect, 6) for key, effect in fitted.settings.items()},
        "sources": {key: round(effect, 6) for key, effect in fitted.sources.items()},
        "range": {
            key: [min(getattr(n, key) for n in nets), max(getattr(n, key) for n in nets)]
            for key in _LIMITS
        },
        "most": [
            float(f"{max(column):.6g}") for column in zip(*(n.vector() for n in nets), strict=True)
        ],
        "bar": round(validation.bar, 4),
        "held_out": {
            "figures": len(samples),
            "families": len({sample.family for sample in samples}),
            "median_error": round(validation.median, 4),
            "rank_correlation": round(validation.rank, 4),
            "covered": round(validation.covered, 4),
        },
    }


def _of_target(target: Target) -> list[Device]:
    mine = [d for d in devices() if d.soc and d.soc == target.soc]
    if not mine:
        chips = sorted({d.soc for d in devices() if d.soc})
        raise ForecastError(
            f"there is no forecast for {target.title}",
            where=f"target {target.name}",
            why="no published figures of its chip are known; there are some of\n" + "\n".join(chips),
            hint="measure it: edgevit profile --help",
        )  # fmt: skip
    return mine


def _require_range(features: Features, table: dict[str, Any], kind: str) -> None:
    """Refuse a model larger or smaller than the fitted nets, or with more of any feature."""
    wrong = []
    for key, (low, high) in table["range"].items():
        x = getattr(features, key)
        if not low <= x <= high:
            wrong.append(f"{x:,} {_LIMITS[key]}; fitted on {low:,} to {high:,}")
    for name, x, most in zip(COSTS, features.vector(), table["most"], strict=True):
        if x > most * _SLACK:
            wrong.append(f"{x:.4g} of: {name}; fitted on at most {most:.4g}")
    if wrong:
        raise ForecastError(
            f"the model is outside the range that the forecast for {kind} was fitted on",
            why="\n".join(wrong),
            hint="measure it; what is predicted there is not known to be near anything",
        )
