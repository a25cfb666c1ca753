"""`edgevit.forecast`, as a notebook or a script calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from edgevit.forecast.model import ModelForecast, forecast_model
from edgevit.frontend import ExampleInputs, Model, ModelArguments, ModelOptions, default_torch


def forecast(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str,
    progress: TextIO | None = None,
    weights: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    batch: int = 1,
    seed: int = 0,
    trust: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    image_input: bool | None = None,
    channels_last: bool = False,
    inputs: str | None = None,
    replace: str | None = None,
    head: str = "native",
) -> ModelForecast:
    """Predict the latency of a model on a device that is not at hand.

    The prediction is fitted on published figures; the result says how far off such ones are.

    Args:
        model: as for `edgevit.export`. A live model is not changed.
        example_inputs: as for `edgevit.export`: one picture.
        target: the device.
        progress: a stream to report the stages on, such as `sys.stderr`.
        weights, input_size, batch, seed, trust, mean, std, image_input, channels_last, inputs, replace, head:
            as for `edgevit.export`.

    Returns:
        The `ModelForecast`: a median and a range, in milliseconds, for each published setting.

    Raises:
        ForecastError: the device or the model is outside of what was published.
        EdgevitError: the model or an option cannot be used.

    Example:
        edgevit.forecast("timm:shvit_s1", target="iphone").forecasts[0].median
    """
    options = ModelOptions(
        weights,
        input_size,
        batch,
        seed,
        trust,
        mean,
        std,
        None,
        image_input,
        channels_last,
        inputs,
        replace,
        head,
    )
    with default_torch():
        return forecast_model(ModelArguments(model, example_inputs, options), target, progress)
