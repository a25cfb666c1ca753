"""`edgevit forecast`: predict the latencies of a model on a device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from edgevit.errors import ForecastError
from edgevit.exported import SCHEMA
from edgevit.forecast.features import Features, features_of
from edgevit.forecast.table import Forecast, forecast
from edgevit.frontend import ModelArguments, capture
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from edgevit.support.notebook import Row, Shown
from edgevit.support.progress import Stages
from edgevit.targets import load_target


@dataclass(frozen=True, repr=False)
class ModelForecast(Shown):
    """Predicted latencies of a model on a device, one for each published setting."""

    model: str
    target: str
    features: Features
    forecasts: tuple[Forecast, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "predicted",
            "model": self.model,
            "target": self.target,
            "features": self.features.as_dict(),
            "forecasts": [one.as_dict() for one in self.forecasts],
        }

    def _title(self) -> str:
        return f"{self.model} on {self.forecasts[0].device}: predicted, not measured"

    def _rows(self) -> Iterator[Row]:
        for one in self.forecasts:
            yield one.setting, f"{one.median:.3g} ms ({one.low:.3g} to {one.high:.3g})"
        yield "median error", f"{self.forecasts[0].quality.median_error:.0%}"

    def __str__(self) -> str:
        rows = [f"{self.model} on {self.forecasts[0].device}: predicted, not measured"]
        rows += [
            f"  {f.median:8.3g} ms   {f.low:.3g} to {f.high:.3g} ms   {f.setting}" for f in self.forecasts
        ]  # fmt: skip
        q = self.forecasts[0].quality
        return "\n".join(
            [
                *rows,
                f"  from {q.figures} published figures of {q.families} families of nets. On families left out of the fit: "
                f"median error {q.median_error:.0%},",
                f"  rank correlation {q.rank_correlation:.2f}, {q.covered:.0%} within such a range. "
                "An op that leaves the accelerator costs more than this.",
            ]
        )


def forecast_model(
    model: ModelArguments, target: str, progress: TextIO | None = None
) -> ModelForecast:
    """Forecast a model's latency on a target.

    Features are taken after the rules common to all targets, as in the fit.
    """
    stages, device = Stages(progress), load_target(target)
    with stages.stage("resolve", f"build {model.spec}"):
        source = model.build(device)
    _require_one_picture(source.inputs)
    with stages.stage("capture", "capture the graph"):
        program = capture(source)
    with stages.stage("rewrite", f"rewrite, {len(STANDARD)} rules, each verified"):
        program, _ = engine.run(program, STANDARD, stages.note)
    features = features_of(program)
    return ModelForecast(source.name, device.name, features, forecast(features, device))


def _require_one_picture(inputs: Any) -> None:
    shapes = [tuple(x.shape) for x in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][0] != 1:
        raise ForecastError(
            "only nets that take one picture at a time are forecast",
            why=f"this one takes {', '.join('x'.join(map(str, s)) for s in shapes)}; the published figures are of one",
            hint="--batch 1",
        )
