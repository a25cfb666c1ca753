"""TensorLayout of a torch tensor's axes in memory.

Permutes and most reshapes only change the layout and move nothing.

Memory has axes of its own, and every torch axis is some of them, the slowest first:

    image 1 x C x H x W, channels last        sizes (H, W, C)      axes ((), (2), (0), (1))
    the same as tokens, 1 x HW x C            sizes (H, W, C)      axes ((), (0, 1), (2))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

Axes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class TensorLayout:
    """Memory axes and the torch axes made of them.

    Torch axes of one element have no place in memory, and no memory axis has one element.
    """

    sizes: tuple[int, ...]
    axes: Axes

    @classmethod
    def plain(cls, shape: Sequence[int], order: Sequence[int] | None = None) -> TensorLayout:
        """Return the layout with one memory axis for every torch axis, in `order`, by default
        torch's.
        """
        order = range(len(shape)) if order is None else order
        long = [axis for axis in order if shape[axis] > 1]
        places = {axis: (place,) for place, axis in enumerate(long)}
        axes = tuple(places.get(axis, ()) for axis in range(len(shape)))
        return cls(tuple(shape[axis] for axis in long), axes)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(prod(self.sizes[place] for place in axis) for axis in self.axes)

    @property
    def is_natural(self) -> bool:
        """Check for torch's order, images channels last, which is the order the author of the model
        sees.
        """
        order = (0, 2, 3, 1) if self.rank == 4 else range(self.rank)
        places = [place for axis in order for place in self.axes[axis]]
        return places == sorted(places)

    @property
    def rank(self) -> int:
        return len(self.axes)

    def permuted(self, order: Sequence[int]) -> TensorLayout:
        return TensorLayout(self.sizes, tuple(self.axes[axis] for axis in order))

    def reshaped(self, shape: Sequence[int]) -> TensorLayout | None:
        """Return the layout after a reshape.

        None where an axis would begin inside a memory axis at no whole part of it.
        """
        pieces = [[size] for size in self.sizes]  # what each memory axis is cut into
        flat = [(place, self.sizes[place]) for axis in self.axes for place in axis]
        axes: list[list[int]] = []
        for missing in shape:
            taken: list[int] = []
            while missing > 1:
                place, available = flat.pop(0)
                if missing % available == 0:
                    missing //= available
                elif available % missing == 0:
                    pieces[place][-1:] = [missing, available // missing]
                    flat.insert(0, (place, available // missing))
                    missing = 1
                else:
                    return None
                taken.append(place)
            axes.append(taken)
        return _numbered(pieces, axes)

    def merged(self) -> TensorLayout:
        """Return the layout with memory axes merged that are adjacent in memory and in one torch
        axis.
        """
        follows = {b for axis in self.axes for a, b in pairwise(axis) if b == a + 1}
        heads = [place for place in range(len(self.sizes)) if place not in follows]
        ends = [*heads[1:], len(self.sizes)] if heads else []  # no place: one number
        sizes = tuple(prod(self.sizes[a:b]) for a, b in zip(heads, ends, strict=True))
        number = {place: index for index, place in enumerate(heads)}
        axes = tuple(tuple(number[p] for p in axis if p in number) for axis in self.axes)
        return TensorLayout(sizes, axes)

    def ordered(self, places: Sequence[int]) -> TensorLayout:
        """Return the layout after a permutation of memory."""
        number = {place: index for index, place in enumerate(places)}
        axes = tuple(tuple(number[place] for place in axis) for axis in self.axes)
        return TensorLayout(tuple(self.sizes[place] for place in places), axes)

    def replaced(self, axis: int, size: int) -> TensorLayout:
        """Return the layout with another size of a torch axis that is last in memory, or has no
        place.
        """
        gone = set(self.axes[axis])
        others = [place for place in range(len(self.sizes)) if place not in gone]
        assert others == list(range(len(others)))
        sizes = (*(self.sizes[place] for place in others), *([size] if size > 1 else []))
        axes = [tuple(self.axes[other]) for other in range(self.rank)]
        axes[axis] = (len(others),) if size > 1 else ()
        return TensorLayout(sizes, tuple(axes))

    def resized(self, axis: int, size: int) -> TensorLayout:
        """Return the layout with another size of a torch axis that is one memory axis, at any
        place.
        """
        (place,) = self.axes[axis]
        sizes = list(self.sizes)
        sizes[place] = size
        if size > 1:
            return TensorLayout(tuple(sizes), self.axes)
        del sizes[place]
        axes = tuple(tuple(p - (p > place) for p in places if p != place) for places in self.axes)
        return TensorLayout(tuple(sizes), axes)


def aligned(
    one: TensorLayout, other: TensorLayout, pairs: Sequence[tuple[int, int]] | None = None
) -> tuple[TensorLayout, TensorLayout] | None:
    """Cut the memory of both layouts alike.

    The pairs of axes have one size, and are all axes by default. None where no common cut exists.
    """
    pairs = [(axis, axis) for axis in range(one.rank)] if pairs is None else pairs
    steps = [_steps(_cuts(one, a) | _cuts(other, b)) for a, b in pairs]
    first = _cut(one, {a: step for (a, _), step in zip(pairs, steps, strict=True)})
    second = _cut(other, {b: step for (_, b), step in zip(pairs, steps, strict=True)})
    return None if first is None or second is None else (first, second)


def _cuts(layout: TensorLayout, axis: int) -> set[int]:
    """Return the number of elements behind each cut of the axis."""
    strides = {1}
    for place in reversed(layout.axes[axis]):
        strides.add(max(strides) * layout.sizes[place])
    return strides


def _steps(cuts: set[int]) -> list[int] | None:
    falling = sorted(cuts, reverse=True)
    if any(a % b for a, b in pairwise(falling)):
        return None
    return [a // b for a, b in pairwise(falling)]


def _cut(layout: TensorLayout, steps: dict[int, list[int] | None]) -> TensorLayout | None:
    """Return the layout with each of these torch axes cut into memory axes of these sizes."""
    groups: list[list[int]] = []
    for axis in range(layout.rank):
        step = steps.get(axis, [layout.sizes[place] for place in layout.axes[axis]])
        if step is None:
            return None
        groups.append(step)
    fine = layout.reshaped([size for group in groups for size in group])
    if fine is None:
        return None
    fine_axes = iter(fine.axes)
    axes = tuple(tuple(place for _ in group for place in next(fine_axes)) for group in groups)
    return TensorLayout(fine.sizes, axes)


def _numbered(pieces: list[list[int]], axes: list[list[int]]) -> TensorLayout:
    """Give every piece of a memory axis its own place. Torch axes take the pieces in order."""
    first = list(accumulate((len(piece) for piece in pieces), initial=0))
    used = [0] * len(pieces)
    numbered: list[tuple[int, ...]] = []
    for axis in axes:
        places: list[int] = []
        for place in axis:
            places.append(first[place] + used[place])
            used[place] += 1
        numbered.append(tuple(places))
    return TensorLayout(tuple(size for piece in pieces for size in piece), tuple(numbered))
