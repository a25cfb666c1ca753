"""Which output of a classifier each label of a data set stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.errors import CalibrationError, suggest

_HINT = "--labels FILE with the name of each output, one a line; or a labels.csv of their numbers"


@dataclass(frozen=True)
class ClassNumbers:
    """The output of each sample's label, and how it was found out, for reports."""

    numbers: np.ndarray
    rule: str


def class_numbers(
    labels: Sequence[str] | np.ndarray, names: Sequence[str], outputs: int, where: str
) -> ClassNumbers:
    """Map labels to outputs: by number, by the model's names, or both in sorted order.

    Sorted order is taken only where there is one label for each output.
    """
    if isinstance(labels, np.ndarray):
        return _of_array(labels, outputs, where)
    distinct = sorted(set(labels))
    if _are_numbers(distinct):
        places = {label: int(label) for label in distinct}
        _require_below(places, outputs, where)
        rule = "labels are the numbers of outputs"
    elif names:
        places, rule = _by_name(distinct, names, where), "labels by the model's names"
    else:
        places, rule = _in_order(distinct, outputs, where), "labels in sorted order"
    return ClassNumbers(np.array([places[label] for label in labels]), rule)


def class_count(labels: Sequence[str] | np.ndarray) -> int:
    """Return how many outputs a classifier of these labels needs: as `class_numbers` maps them."""
    distinct = sorted({str(label) for label in labels})
    if _are_numbers(distinct):
        return max(map(int, distinct), default=0) + 1
    return len(distinct)


def _are_numbers(labels: Sequence[str]) -> bool:
    return all(label.isascii() and label.isdecimal() for label in labels)


def _of_array(labels: np.ndarray, outputs: int, where: str) -> ClassNumbers:
    whole = labels.astype(np.int64)
    if labels.ndim != 1 or not (whole == labels).all():
        raise CalibrationError(
            "labels are not one whole number an image",
            where=where,
            why=f"{labels.dtype} {labels.shape}",
            hint="the number of the right output for each image; or metric= in Python",
        )
    _require_below({str(n): int(n) for n in np.unique(whole)}, outputs, where)
    return ClassNumbers(whole, "labels are the numbers of outputs")


def _require_below(places: dict[str, int], outputs: int, where: str) -> None:
    if outside := [label for label, place in places.items() if not 0 <= place < outputs]:
        raise CalibrationError(
            f"the model has no output {outside[0]}",
            where=where,
            why=f"its {outputs} outputs are 0 to {outputs - 1}; {len(outside)} labels are none of them",
            hint="count from 0; or --labels FILE with the name of each output, one a line",
        )


def _by_name(distinct: Sequence[str], names: Sequence[str], where: str) -> dict[str, int]:
    """Find each label among the names, or among the synonyms that commas separate."""
    places: dict[str, int] = {}
    for place, name in reversed(list(enumerate(names))):
        for word in (*(part.strip() for part in name.split(",")), name):
            places[word.casefold()] = place
    unknown = [label for label in distinct if label.casefold() not in places]
    if unknown:
        raise CalibrationError(
            f"the model has no class `{unknown[0]}`",
            where=where,
            why=f"{len(unknown)} of {len(distinct)} labels are none of its {len(names)} names",
            hint=suggest(unknown[0].casefold(), list(places)[:5000]) or _HINT,
        )
    return {label: places[label.casefold()] for label in distinct}


def _in_order(distinct: Sequence[str], outputs: int, where: str) -> dict[str, int]:
    if len(distinct) != outputs:
        raise CalibrationError(
            f"{len(distinct)} labels for {outputs} outputs",
            where=where,
            why="the names of the outputs are unknown, so that nothing says which is which",
            hint=_HINT,
        )
    return {label: place for place, label in enumerate(distinct)}
