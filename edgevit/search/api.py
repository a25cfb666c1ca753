"""`edgevit.search.search`, as a notebook or a script calls it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from edgevit.frontend import default_torch, file_safe
from edgevit.search.proxies import PROXIES
from edgevit.search.request import NetLimits, Recipe, SearchRequest
from edgevit.search.search import Searched, search_nets
from edgevit.search.show import write_front
from edgevit.support.progress import Stages
from edgevit.targets import load_target
from edgevit.tune import Budget


def search(
    space: str = "vit",
    *,
    target: str,
    data: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    beat: str | None = None,
    limits: NetLimits | None = None,
    train: str | None = None,
    calibrate: str | os.PathLike[str] | None = None,
    proxy: str = next(iter(PROXIES)),
    budget: str = "10m",
    epochs: int = Recipe().epochs,
    input_size: int | None = None,
    population: int = 12,
    seed: int = 0,
    output: str | os.PathLike[str] | None = None,
    study: str | None = None,
    trust: bool = False,
    progress: TextIO | None = None,
) -> Searched:
    """Search a space of nets for a microcontroller, and write the front of accuracy, RAM and instructions.

    Args:
        space: `"vit"`, or an object of yours: `"nets.py:SPACE"`.
        target: the device.
        data: labelled data to train on, and to choose by: class folders, labels.csv, or an .npz.
        test: labelled data that nothing is chosen by; the front is scored on it at the end.
        beat: a spec that is trained and run first; no net may take more RAM or instructions.
        limits: most RAM, flash and instructions.
        train: `"module:function"` of yours, called with a module and `report(share, score)`; it
            trains the module in place and returns its score.
        calibrate: inputs for the ranges of integers. None: the data.
        proxy: orders the first nets: `"entropy"`, `"saliency"`, `"none"`, or a function of yours.
        budget: a time (`"10m"`) or a number of nets (`"30"`), refused ones included.
        epochs: of the built-in training.
        input_size: of the built-in space's pictures. None: as the first picture has.
        population: of a generation.
        seed: of everything that is drawn.
        output: the folder to write. None: `out/SPACE-TARGET-search`.
        study: of trials: a file, or a URL as Optuna takes it. None: a file in the folder.
        trust: as for `edgevit.export`.
        progress: a stream to report on, such as `sys.stderr`.

    Returns:
        The `Searched`: `.front` holds each net's spec, figures and command.

    Raises:
        EdgevitError: the space, the data or an option cannot be used.

    Example:
        search("vit", target="stm32f746", data="digits", budget="30").front
    """
    device = load_target(target).name
    folder = output or f"out/{file_safe(space)}-{device}-search"
    request = SearchRequest(
        space,
        device,
        os.fspath(data) if data is not None else None,
        Path(folder),
        Budget.of(budget),
        limits or NetLimits(),
        os.fspath(test) if test is not None else None,
        beat,
        train,
        os.fspath(calibrate) if calibrate is not None else None,
        proxy,
        Recipe(epochs),
        input_size,
        population,
        seed,
        study,
        trust,
    )
    stages = Stages(progress)
    try:
        with default_torch():
            searched = search_nets(request, stages.say, stages.note)
        write_front(searched)
        return searched
    finally:
        stages.clear()
