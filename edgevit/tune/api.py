"""`edgevit.tune`, as a notebook or a script calls it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from edgevit.errors import UsageError
from edgevit.export import output_folder
from edgevit.frontend import ModelOptions
from edgevit.quantize import GENERATED, CalibrationOptions
from edgevit.support.backend_options import BackendOptions, by_format
from edgevit.support.progress import Stages
from edgevit.targets import load_target
from edgevit.tune.request import Budget, TuneRequest
from edgevit.tune.tune import Tuned, tune_model


def tune(
    model: str | os.PathLike[str],
    *,
    target: str,
    on: str = "local",
    budget: str = "10m",
    max_drop: float | None = None,
    formats: Sequence[str] | None = None,
    rounds: int = 20,
    output: str | Path | None = None,
    store: str | None = None,
    study: str | None = None,
    backend_options: BackendOptions | Mapping[str, BackendOptions] | None = None,
    calibration: CalibrationOptions = GENERATED,
    evaluate: str | None = None,
    max_top1_drop: float | None = None,
    progress: TextIO | None = None,
    weights: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    batch: int = 1,
    seed: int = 0,
    trust: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    image_input: bool | None = None,
    channels_last: bool = False,
    inputs: str | None = None,
    replace: str | None = None,
    head: str = "native",
) -> Tuned:
    """Choose format, precision and the backend's choices by measuring them.

    Args:
        model: a spec. Trials are processes of their own, which a Python object does not reach.
        target: the device to tune for.
        on: where to measure, as for `edgevit.profile`.
        budget: a time (`"10m"`, `"1h"`) or a number of trials (`"30"`).
        max_drop: offer lossy steps too, and refuse what is further than this from the model:
            1 - cosine.
        formats: the formats to try. None: all of the target's that can be measured.
        rounds: of a measurement, as for `edgevit.profile`.
        output: the folder to write. None: `out/MODEL-TARGET-tuned`.
        store: of measurements, as for `edgevit.profile`.
        study: of trials: a file, or `postgresql://...` that several machines share.
        backend_options, calibration: as for `edgevit.export`.
        evaluate: labelled data; the accuracy of each artifact on it is in `trials.json`.
        max_top1_drop: offer lossy steps too, and refuse what loses more points of top-1 on it.
        progress: a stream to report on, such as `sys.stderr`.
        weights, input_size, batch, seed, trust, mean, std, labels, image_input, channels_last, inputs, replace, head:
            as for `edgevit.export`.

    Returns:
        The `Tuned`: its `file` is the plan, for `edgevit export --plan`.

    Raises:
        EdgevitError: the model or an option cannot be used, or nothing could be measured.

    Example:
        tuned = edgevit.tune("net.py:build", target="linux-x86", budget="20")
        print(tuned.plan.format, tuned.plan.chosen)
    """
    if not isinstance(model, str | os.PathLike):
        raise UsageError(
            "only a model that a spec names is tuned",
            where=f"model={type(model).__name__}",
            why="trials are processes of their own, which a Python object does not reach",
            hint="a callable that builds it, net.py:build, or torch.export.save(program, 'net.pt2')",
        )
    spec = os.fspath(model)
    options = ModelOptions(
        weights,
        input_size,
        batch,
        seed,
        trust,
        mean,
        std,
        labels,
        image_input,
        channels_last,
        inputs,
        replace,
        head,
    )
    usual = vars(ModelOptions())
    folder = output or f"{output_folder(None, spec, load_target(target))}-tuned"
    request = TuneRequest(
        spec,
        target,
        on,
        Path(folder),
        Budget.of(budget),
        max_drop,
        tuple(formats) if formats else None,
        {name: value for name, value in vars(options).items() if value != usual[name]},
        by_format(backend_options),
        calibration,
        store,
        study,
        rounds,
        evaluate,
        max_top1_drop,
    )
    stages = Stages(progress)
    try:
        return tune_model(request, stages.say, stages.note)
    finally:
        stages.clear()
