"""Comparison of an artifact's outputs on a device to the golden outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from edgevit.backends import LIMITS
from edgevit.errors import ParityError
from edgevit.exported import GOLDEN, MANIFEST, load_golden, read_manifest
from edgevit.graph.parity import distance
from edgevit.measure.timing import Subject
from edgevit.quantize import QUANTIZED


def compare_outputs(subject: Subject, arrays: Sequence[np.ndarray], host: str) -> tuple[str, ...]:
    """Compare outputs to the golden outputs, and return a line that reports their difference.

    Return nothing without golden vectors. Raises `ParityError` beyond the tolerance.
    """
    folder = subject.path.parent
    if not (folder / MANIFEST).is_file() or not (folder / GOLDEN).is_file():
        return ()
    if subject.inputs is None:
        return ()
    expected = load_golden(folder)[1]
    actual = [torch.from_numpy(np.array(array)) for array in arrays]
    limit = LIMITS.get(read_manifest(folder)["precision"], QUANTIZED)
    if len(actual) != len(expected):
        raise ParityError(
            f"{subject.label} gives {len(actual)} outputs on {host}, not {len(expected)}"
        )
    apart = distance(expected, actual)
    text = f"relative L2 {apart.rel_l2:.2e}, cosine {apart.cosine:.6f}"
    if not limit.holds(apart):
        raise ParityError(
            f"{subject.label} computes something else on {host}",
            where=str(subject.path),
            why=f"{text}; it needs {limit}",
            hint="its runtime there may be of another version; a figure of wrong results is none",
        )
    return (f"computes the same on {host}: {text}",)
