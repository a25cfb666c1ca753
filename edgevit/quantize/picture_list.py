"""Pictures of a folder with their labels, and an even draw of them.

FOLDER/CLASS/NAME.jpg      the label is the folder
FOLDER/labels.csv          `file,label`: paths below the folder, and what they show
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgevit.errors import CalibrationError
from edgevit.support.file_limits import why_no_file, why_outside
from edgevit.support.strangers_text import MalformedTextError, decoded, read_bytes

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
LABELS = "labels.csv"
_T = TypeVar("_T")
_MOST_BYTES = 256 << 20  # of labels.csv


@dataclass(frozen=True)
class PictureFile:
    path: Path
    label: str  # the class folder, or what labels.csv says; empty for a picture beside it


def list_pictures(folder: Path) -> tuple[PictureFile, ...]:
    """List the pictures of a folder and of those below it, by label and name."""
    table = folder / LABELS
    pictures = _listed(table) if table.exists() else _in_folders(folder)
    if not pictures:
        raise CalibrationError(
            "there are no pictures in the folder",
            where=str(folder),
            why=f"{LABELS} lists none"
            if table.exists()
            else "none of its files ends in " + ", ".join(sorted(SUFFIXES)),
            hint="a folder of photographs like those the model will see",
        )
    return tuple(sorted(pictures, key=lambda one: (one.label, str(one.path))))


def draw_evenly(pictures: Sequence[PictureFile], count: int) -> tuple[PictureFile, ...]:
    """Draw up to `count` pictures, the same number of each label as far as there are.

    They come in turns of two a label: each of two alternate halves then has all labels, and so has
    the beginning of each half.
    """
    groups: dict[str, list[PictureFile]] = {}
    for picture in pictures:
        groups.setdefault(picture.label, []).append(picture)
    labels = _spread(list(groups), count)
    shares = _shares([len(groups[label]) for label in labels], count)
    drawn = [_spread(groups[label], share) for label, share in zip(labels, shares, strict=True)]
    turns = range(0, max(map(len, drawn)), 2)
    return tuple(one for turn in turns for group in drawn for one in group[turn : turn + 2])


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """Deal `count` out, one a group and turn, until it or all groups are exhausted."""
    shares, rest = [0] * len(sizes), min(count, sum(sizes))
    while rest:
        open_groups = [index for index, size in enumerate(sizes) if shares[index] < size]
        for index in open_groups[:rest]:
            shares[index] += 1
        rest -= len(open_groups[:rest])
    return shares


def _spread(items: list[_T], count: int) -> list[_T]:
    """Return up to `count` of the items, at equal distances."""
    if len(items) <= count:
        return items
    return [items[index * len(items) // count] for index in range(count)]


def _in_folders(folder: Path) -> list[PictureFile]:
    files = (file for file in _below(folder) if file.suffix.lower() in SUFFIXES)
    return [PictureFile(file, "" if file.parent == folder else file.parent.name) for file in files]


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, without following links to folders."""
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue  # a folder that is not ours to read
        pending += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (Path(e) for e in entries if not e.is_dir(follow_symlinks=False))


def _listed(table: Path) -> list[PictureFile]:
    rows = _rows(table)
    pictures: list[PictureFile] = []
    for number, row in enumerate(rows, 2):
        name, label = row["file"].strip(), row["label"].strip()
        why = why_outside(table.parent, name) or why_no_file(table.parent / name)
        if why or not label:
            raise _unread(table, number, f"`{name[:80]}`: {why or 'it has no label'}")
        pictures.append(PictureFile(table.parent / name, label))
    return pictures


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        text = decoded(read_bytes(table, _MOST_BYTES))
        reader = csv.DictReader(io.StringIO(text), restval="")
        if not {"file", "label"} <= set(reader.fieldnames or ()):
            raise _unread(table, 1, f"its first line is {','.join(reader.fieldnames or ())[:80]!r}")
        return list(reader)
    except (OSError, MalformedTextError, csv.Error) as error:
        raise _unread(table, getattr(error, "line", 0), str(error)) from error


def _unread(table: Path, line: int, why: str) -> CalibrationError:
    return CalibrationError(
        f"{table.name} cannot be read",
        where=f"{table}, line {line}" if line else str(table),
        why=why,
        hint="a first line `file,label`, then one line a picture: a path below the folder, a label",
    )
