"""A model with exits as firmware: one network, whose calls stop at the first exit that is sure.

Thresholds are chosen on what the integers compute and on instructions of an emulated core; the firmware compares
integers, so that it leaves where the integer model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from edgevit.backends import EarlyExecutable, EarlyRun
from edgevit.errors import ParityError
from edgevit.evaluate import LabelledTest
from edgevit.exits.thresholds import NEVER, Thresholds, choose_thresholds
from edgevit.export import ExportResult, export
from edgevit.support.backend_info import BACKENDS
from edgevit.support.progress import Stages

NET, HEADER = "net", "edgevit_exits.h"
_CALIBRATED = 64  # samples that ranges are found on


@dataclass(frozen=True)
class ExitingFirmware:
    result: ExportResult
    thresholds: Thresholds
    plan: dict[str, Any]


def export_firmware(
    model: Any,
    example_inputs: Any,
    test: LabelledTest,
    target: str,
    format: str,
    directory: Path,
    max_drop: float,
    progress: TextIO | None,
    options: dict[str, Any],
) -> ExitingFirmware:
    """Export the net, choose the thresholds, and write them beside it as a header."""
    place = BACKENDS[format].early
    assert place is not None
    opened, chosen = (BACKENDS[format].part(one) for one in place)
    result = export(
        model, example_inputs, target=target, format=format, output=directory / NET, progress=progress,
        backend_options=chosen, calibration=_calibration(test), **options,
    )  # fmt: skip
    assert isinstance(result, ExportResult)
    firmware: EarlyExecutable = opened(result.directory)
    stages = Stages(progress)
    samples = [[tensor.numpy() for tensor in inputs] for inputs, _ in test.data.batches(1)]
    with stages.stage("exits", f"run every exit on {len(samples)} samples, in integers"):
        exits = [firmware.exits(inputs) for inputs in samples]
    logits = [np.concatenate([one.logits for one in column]) for column in zip(*exits, strict=True)]
    sure = np.array([[one.confidence for one in column[:-1]] for column in exits]).T
    labels = test.numbers.numbers
    with (
        stages.stage("exits", "count instructions up to each exit on an emulated core"),
        firmware.emulated() as run,
    ):
        stops = [[NEVER] * k + [0.0] * (len(logits) - 1 - k) for k in range(len(logits))]
        counts = [run(samples[0], stop).instructions for stop in stops]
        costs = list(np.diff(counts, prepend=0))
        thresholds = choose_thresholds(logits, labels, costs, max_drop, sure)
        leaves = thresholds.leaves(sure)
        for number in np.unique(leaves):
            place = int(np.flatnonzero(leaves == number)[0])
            early = run(samples[place], thresholds.values)
            _require_the_same(early, int(number), exits[place][number].logits)
    (directory / HEADER).write_text(firmware.header(thresholds.values))
    return ExitingFirmware(result, thresholds, _plan(result, thresholds, counts, len(labels)))


def _calibration(test: LabelledTest) -> list[Any]:
    """Return inputs drawn evenly from the data."""
    samples = [tuple(inputs) for inputs, _ in test.data.batches(1)]
    step = max(len(samples) // _CALIBRATED, 1)
    return samples[::step][:_CALIBRATED]


def _require_the_same(early: EarlyRun, number: int, logits: np.ndarray) -> None:
    """Refuse firmware that does not leave where the integers do, with their logits."""
    if early.taken == number and np.array_equal(early.logits, logits):
        return
    raise ParityError(
        "the firmware does not leave where its integer model does",
        where=f"exit {number + 1}",
        why=f"it leaves at exit {early.taken + 1}",
        hint="report it: this is a bug of edgevit",
    )


def _plan(
    result: ExportResult, thresholds: Thresholds, counts: Sequence[int], samples: int
) -> dict[str, Any]:
    flash = result.manifest["firmware"]["execution"]["memory"]["flash_bytes"]
    values = (*thresholds.values, 0.0)
    parts = [
        {
            "function": "ev_model_run_early",
            "threshold": value,
            "share": share,
            "instructions": count,
        }
        for value, share, count in zip(values, thresholds.shares, counts, strict=True)
    ]
    return {
        "bytes": flash,
        "file": f"{NET}/{result.artifact.name}",
        "header": HEADER,
        "parts": parts,
        "expected": {
            "top1": thresholds.top1,
            "top1_of_last": thresholds.last_top1,
            "instructions": thresholds.cost,
            "mean_instructions": round(thresholds.cost * counts[-1]),
            "samples": samples,
        },
    }
