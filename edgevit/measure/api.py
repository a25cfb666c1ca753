"""`edgevit.profile`, as a notebook or a script calls it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, TypeAlias

from edgevit.errors import UsageError
from edgevit.exported import expand_folders
from edgevit.measure.cache import measured
from edgevit.measure.figures import MeasuredSession, Settings
from edgevit.measure.runner import open_runner
from edgevit.measure.store import open_store
from edgevit.measure.timing import eager_subject
from edgevit.support.progress import Stages

Artifact: TypeAlias = str | os.PathLike[str]  # an exported folder, its result, or an artifact file


def profile(
    artifacts: Artifact | Sequence[Artifact],
    *,
    on: str = "local",
    threads: int = 0,
    rounds: int = 20,
    warmup: int = 3,
    ops: bool = False,
    eager: bool = False,
    limit: float = 600.0,
    trust: bool = False,
    store: str | None = None,
    no_store: bool = False,
    fresh: bool = False,
    core: str | None = None,
    toolchain: str = "zig",
    emulator: str | None = None,
    flash: str | None = None,
    elf: str | None = None,
    chip: str | None = None,
    progress: TextIO | None = None,
) -> MeasuredSession:
    """Measure the latency of artifacts, here or on a device. Several are measured interleaved.

    Args:
        artifacts: exported folders, results of `edgevit.export`, or artifact files; one or several.
        on: where: `"local"`, `"emulator"`, `"ssh://user@host"`, `"adb"`, ... (docs/measuring.md).
        threads: 0 for as many as there are cores.
        rounds: turns of each artifact. A figure is the median of its rounds.
        warmup: runs before the first turn.
        ops: measure op by op, too.
        eager: measure the model in PyTorch, too. Not of a model that was a Python object.
        limit: seconds until a run that hangs is killed.
        trust: run code that another user exported.
        store: where figures are kept: a file, or `postgresql://...`. None: the user's own.
        no_store: neither read nor write the store.
        fresh: measure again what the store already has.
        core, toolchain, emulator: of firmware on an emulated core.
        flash, elf, chip: of firmware on a board (docs/measuring.md).
        progress: a stream to report on, such as `sys.stderr`.

    Returns:
        The `MeasuredSession`, with one of `figures` for each artifact, in order. One that fails has its
        `error` there.

    Raises:
        EdgevitError: an artifact is damaged, the device is unreachable, or all artifacts failed.

    Example:
        session = edgevit.profile([results['onnx'], results['executorch']], threads=1)
        session.figures[0].latency.median      # seconds
    """
    runner = open_runner(on)
    if eager and on != "local":
        raise UsageError("--eager runs the model here", where="--eager", why=f"--on is {on}")
    one = isinstance(artifacts, str | os.PathLike)
    folders = expand_folders([Path(path) for path in ([artifacts] if one else artifacts)])  # type: ignore[list-item]
    settings = Settings(
        threads, rounds, warmup, ops, limit, core, toolchain, emulator, flash, elf, chip, trust
    )
    more = [eager_subject(folders[0], trust)] if eager else []
    stages = Stages(progress)
    try:
        if no_store:
            return measured(folders, runner, settings, progress=stages.note, more=more)
        with open_store(store) as figure_store:
            return measured(
                folders,
                runner,
                settings,
                figure_store,
                fresh=fresh,
                progress=stages.note,
                more=more,
            )
    finally:
        stages.clear()
