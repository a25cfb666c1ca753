"""Checks of calibration inputs as a whole: too few, alike, constant; and their content hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch

from edgevit.errors import CalibrationError
from edgevit.graph.program import Inputs
from edgevit.quantize.calibration import Calibration

_FEW = 8  # inputs: below it a half has too few to judge by
_SHOWN = 3  # names in a note


def checked(calibration: Calibration) -> Calibration:
    """Drop copies of an input; note what makes ranges poor, and refuse what makes none.

    One half of the inputs chooses the ranges, which the other half judges: they must differ.
    """
    digests = [digest(run) for run in calibration.inputs]
    first = sorted({text: index for index, text in reversed(list(enumerate(digests)))}.values())
    blank = [index for index in first if _is_constant(calibration.inputs[index])]
    if len(blank) == len(first):
        raise _refused(calibration, "every calibration input is one constant", "no value differs from another")  # fmt: skip
    if len(first) == 1:
        count = len(digests)
        why = f"its {count} inputs are all the same" if count > 1 else "there is one input"
        raise _refused(calibration, "one input is too few to calibrate on", why)
    distinct = replace(
        calibration,
        inputs=tuple(calibration.inputs[index] for index in first),
        names=tuple(calibration.names[index] for index in first) if calibration.names else (),
    )
    notes = [
        *_copies(calibration, digests, first),
        *_blank(calibration, blank),
        *_few(len(first), calibration.source),
    ]
    return replace(distinct, notes=(*calibration.notes, *notes))


def digest(run: Inputs) -> str:
    """Return the SHA-256 of a run's tensors."""
    content = hashlib.sha256()
    for tensor in run:
        content.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()


def calibration_dict(calibration: Calibration) -> dict[str, object]:
    """Return the record of the inputs, for edgevit.json: what they were, and hashes to know them by."""
    digests = [digest(run) for run in calibration.inputs]
    names = calibration.names or tuple(f"run {index}" for index in range(len(digests)))
    return {
        "source": calibration.source,
        "count": len(digests),
        "sha256": hashlib.sha256("".join(digests).encode()).hexdigest(),
        "inputs": [
            {"name": name, "sha256": text} for name, text in zip(names, digests, strict=True)
        ],
    }


def _is_constant(run: Inputs) -> bool:
    """Check for inputs of one value, and pictures of one colour."""
    large = [tensor for tensor in run if tensor.numel() > 1]
    return bool(large) and all(map(_is_plain, large))


def _is_plain(tensor: torch.Tensor) -> bool:
    rows = tensor.flatten(2) if tensor.dim() == 4 else tensor.flatten()[None]
    return bool((rows.amax(-1) == rows.amin(-1)).all())


def _copies(calibration: Calibration, digests: Sequence[str], first: Sequence[int]) -> list[str]:
    copies = [index for index in range(len(digests)) if index not in set(first)]
    if not copies:
        return []
    return [f"copies among the calibration inputs are left out, {len(copies)}: {_names(calibration, copies)}"]  # fmt: skip


def _blank(calibration: Calibration, blank: Sequence[int]) -> list[str]:
    if not blank:
        return []
    return [
        f"some calibration inputs are of one colour, {len(blank)}: {_names(calibration, blank)}"
    ]


def _few(count: int, source: str) -> list[str]:
    if count >= _FEW:
        return []
    return [
        f"{count} calibration inputs in {source} are few: half choose the ranges, half judge them; 32 to 256, like those the model will see"
    ]


def _names(calibration: Calibration, indices: Sequence[int]) -> str:
    names = [calibration.names[i] if calibration.names else f"run {i}" for i in indices[:_SHOWN]]
    return ", ".join(names) + (" ..." if len(indices) > _SHOWN else "")


def _refused(calibration: Calibration, message: str, why: str) -> CalibrationError:
    return CalibrationError(
        message,
        where=calibration.source,
        why=f"{why}; half of the inputs choose the ranges, and the others judge them",
        hint="32 to 256 pictures like those the model will see",
    )
