"""Choice of neighbouring axes that may be merged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import prod

Groups = list[list[int]]
Sizes = Sequence[int]


def alike(shapes: Sequence[Sizes], whole: Sizes) -> Groups:
    """Group neighbours that the same operands have in full. Axes of one element are left out."""
    padded = [[1] * (len(whole) - len(own)) + list(own) for own in shapes]

    def having(axis: int) -> tuple[bool, ...]:
        return tuple(own[axis] != 1 for own in padded)

    real = [axis for axis in range(len(whole)) if whole[axis] != 1]
    return [list(group) for _, group in groupby(real, key=having)]


def around(sizes: Sizes, special: Sequence[int]) -> Groups:
    """Group axes around special ones: each of these alone, the others between them merged."""
    rest = [axis for axis in range(len(sizes)) if sizes[axis] != 1 or axis in special]
    groups: Groups = []
    for axis in rest:
        if groups and axis not in special and groups[-1][-1] not in special:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def runs_of(sizes: Sizes, permutation: Sequence[int]) -> Groups:
    """Group axes that stay neighbours under a permutation, in their new order."""
    groups: Groups = []
    lies = [axis for axis in range(len(sizes)) if sizes[axis] != 1]
    behind = dict(pairwise(lies))
    for axis in (axis for axis in permutation if sizes[axis] != 1):
        if groups and behind.get(groups[-1][-1]) == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def merged(sizes: Sizes, groups: Groups) -> list[int]:
    return [prod(sizes[axis] for axis in group) for group in groups]


def steps(dims: Sequence[int], permutation: Sequence[int]) -> list[list[int]]:
    """Split a permutation into permutes of four axes that swap the middle two; return their sizes.

    One axis after the other is moved to its place.
    """
    order, rotations = list(range(len(dims))), list[list[int]]()
    for place, axis in enumerate(permutation):
        lies = order.index(axis)
        if lies == place:
            continue
        sizes = [prod(dims[a] for a in part) for part in (order[:place], order[place:lies], [axis], order[lies + 1 :])]  # fmt: skip
        rotations.append(sizes)
        order.insert(place, order.pop(lies))
    return rotations
