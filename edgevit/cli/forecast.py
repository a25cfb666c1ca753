"""`edgevit forecast`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from edgevit.support.terminal import show


def add_forecast(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
    add_model: Callable[[argparse.ArgumentParser], None],
    model_options: Callable[[argparse.Namespace], dict[str, Any]],
) -> None:
    parser = command("forecast", run_forecast, "Predict latency on a device that is not at hand.")
    add_model(parser)
    parser.add_argument(
        "--target",
        required=True,
        metavar="T",
        help="Device to predict for; `edgevit targets` lists them.",
    )
    parser.set_defaults(model_options=model_options)


def run_forecast(options: argparse.Namespace) -> int:
    from edgevit.errors import UsageError
    from edgevit.forecast import forecast

    vain = [f"--{name}" for name in ("lossy", "without", "labels") if getattr(options, name)]
    if vain:
        raise UsageError(
            f"{' and '.join(vain)} does not apply to a forecast",
            where=" ".join(vain),
            why="it is of the graph that the published nets were counted on",
            hint="forecast without it",
        )
    words = options.model_options(options)
    del words["labels"]
    prediction = forecast(
        options.model,
        target=options.target,
        progress=options.progress,
        **words,
    )
    show(json.dumps(prediction.as_dict()) if options.json else prediction)
    return 0
