"""Tokens that each block keeps, as training has found them: a checkpoint of DiffRate, or its list of compression rates.

    net.pth                           blocks.N.prune_ddp and .merge_ddp: candidates and their probabilities
    rates.json#ViT-S-DeiT/2.9         prune_kept_num and merge_kept_num, an object inside others

Chen et al. 2023: a block keeps ceil(candidates x softmax(probabilities)) patches and the class token. What it merges to is at
most what it prunes to, and no block has more tokens than the one before it.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, cast

import torch

from edgevit.rewrites.lossy.option import LossyValueError

_ENTRY = re.compile(r"(?:.*\.)?blocks\.(\d+)\.(?:prune|merge)_ddp\.selected_probability")
_WRAPPED = ("model", "state_dict", "model_state_dict")
_LARGEST = 1 << 16
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.UnpicklingError)  # fmt: skip


def learnt_counts(place: str) -> tuple[int, ...]:
    """Return how many tokens go behind each attention. Raises `LossyValueError`."""
    path, _, inside = place.partition("#")
    try:
        is_list = Path(path).suffix == ".json"
        first, counts = _listed(path, inside) if is_list else _of_checkpoint(path)
    except _UNREADABLE as error:
        raise LossyValueError(
            f"{path} has no counts of tokens: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    tokens = list(accumulate((first, *counts), min))
    if not 0 < tokens[-1] < first <= _LARGEST:
        raise LossyValueError(f"{path} keeps {tokens[-1]:,} of {first:,} tokens")
    return tuple(before - after for before, after in pairwise(tokens))


def _of_checkpoint(path: str) -> tuple[int, list[int]]:
    state: Any = torch.load(path, map_location="cpu", weights_only=True)
    for name in _WRAPPED:
        state = state.get(name, state)
    counts: dict[int, int] = {}
    first = 0
    for name, probability in cast(Mapping[str, torch.Tensor], state).items():
        if (entry := _ENTRY.fullmatch(name)) is None:
            continue
        candidates = state[name.replace("selected_probability", "kept_token_candidate")]
        number = int(torch.ceil(candidates @ probability.softmax(-1))) + 1
        block = int(entry[1])
        counts[block] = min(counts.get(block, number), number)
        first = max(first, int(candidates.max()) + 1)
    if sorted(counts) != list(range(len(counts))) or not counts:
        raise ValueError("it has no prune_ddp and merge_ddp in each of its blocks")
    return first, [counts[block] for block in range(len(counts))]


def _listed(path: str, inside: str) -> tuple[int, list[int]]:
    entry: Any = json.loads(Path(path).read_text())
    for name in filter(None, inside.split("/")):
        entry = entry[name]
    columns = [_numbers(entry.get(f"{what}_kept_num")) for what in ("prune", "merge")]
    counts = [min(row) for row in zip(*filter(None, columns), strict=True)]
    return max(map(max, filter(None, columns))), counts


def _numbers(column: Any) -> list[int]:
    """Read a list, or the text of one, as the authors' file has it; nothing for `None`."""
    column = json.loads(column) if isinstance(column, str) and column != "None" else column
    return list(map(int, cast(list[Any], column))) if isinstance(column, list) else []
