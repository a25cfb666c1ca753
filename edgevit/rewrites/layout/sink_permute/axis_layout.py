"""Layout of the axes of a value in memory.

Memory is cut into factors, outermost first; an axis of the value is made of some of them. A permute of the value is
then another order of its axes, and a reshape another grouping of the factors: neither touches the memory.

    x of [C, H, W] as tokens [H * W, C]:     sizes (C, H, W), axes ((1, 2), (0,))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

Parts = tuple[tuple[int, ...], ...]  # for each axis, the sizes of its parts
Order = tuple[
    int, ...
]  # parts of all axes, numbered in turn, in the order in which they lie in memory


@dataclass(frozen=True)
class AxisLayout:
    sizes: tuple[int, ...]  # all above 1
    axes: tuple[
        tuple[int, ...], ...
    ]  # positions in `sizes`, outermost first; none for an axis of 1

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(prod(self.sizes[f] for f in axis) for axis in self.axes)

    @property
    def is_plain(self) -> bool:
        """Row-major order: memory holds the axes in their own order."""
        flat = [f for axis in self.axes for f in axis]
        return flat == sorted(flat)

    def permuted(self, permutation: Sequence[int]) -> AxisLayout:
        return AxisLayout(self.sizes, tuple(self.axes[axis] for axis in permutation))

    def reshaped(self, shape: Sequence[int]) -> AxisLayout | None:
        """Return the layout after a reshape.

        Factors that straddle a border of the new axes are cut; None where that does not come out
        even.
        """
        rest = [(f, self.sizes[f]) for axis in reversed(self.axes) for f in reversed(axis)]
        pieces: dict[int, list[int]] = {f: [] for f in range(len(self.sizes))}
        axes: list[list[tuple[int, int]]] = []
        for size in shape:
            axis: list[tuple[int, int]] = []
            while size > 1:
                factor, length = rest.pop()
                taken = min(size, length)
                if size % taken or length % taken:
                    return None
                if length > taken:
                    rest.append((factor, length // taken))
                axis.append((factor, len(pieces[factor])))
                pieces[factor].append(taken)
                size //= taken
            axes.append(axis)
        return _renumbered(pieces, axes)

    def resized(self, block: Sequence[int], axis: int, size: int) -> AxisLayout:
        """Return the layout with the factors `block` replaced by one of another size, which
        is `axis`.
        """
        others = [f for f in range(len(self.sizes)) if f not in block]
        place = sum(f < min(block) for f in others)
        lies = others if size == 1 else [*others[:place], -1, *others[place:]]
        number = {f: k for k, f in enumerate(lies)}
        axes = [tuple(number[f] for f in one if f in number) for one in self.axes]
        axes[axis] = () if size == 1 else (place,)
        return AxisLayout(tuple(size if f < 0 else self.sizes[f] for f in lies), tuple(axes))

    def merged(self) -> AxisLayout:
        """Merge factors that are neighbours both in memory and in their axis."""
        follows = {b for axis in self.axes for a, b in pairwise(axis) if b == a + 1}
        first = [f for f in range(len(self.sizes)) if f not in follows]
        place = {f: k for k, f in enumerate(first)}
        ends = [*first, len(self.sizes)][1:]
        sizes = tuple(prod(self.sizes[a:b]) for a, b in zip(first, ends, strict=True))
        return AxisLayout(
            sizes, tuple(tuple(place[f] for f in axis if f in place) for axis in self.axes)
        )


def plain(shape: Sequence[int]) -> AxisLayout:
    sizes = tuple(size for size in shape if size > 1)
    places = accumulate((size > 1 for size in shape), initial=0)
    return AxisLayout(
        sizes, tuple((k,) if size > 1 else () for k, size in zip(places, shape, strict=False))
    )


def common_parts(layouts: Sequence[AxisLayout], shape: Sequence[int]) -> Parts | None:
    """Cut the axes of `shape` so that each layout is made of whole parts; None where no cut exists.

    Layouts of fewer axes are without the first; an axis of 1 may be anything.
    """
    factors: list[tuple[int, ...]] = []
    for place, size in enumerate(shape, start=-len(shape)):
        borders = {1, size}
        for layout in layouts:
            axis = layout.axes[place] if -place <= len(layout.axes) else ()
            borders |= set(accumulate((layout.sizes[f] for f in reversed(axis)), int.__mul__))
        steps = sorted(borders)
        pairs = list(pairwise(steps))
        if any(above % below for below, above in pairs):
            return None
        factors.append(tuple(above // below for below, above in reversed(pairs)))
    return tuple(factors)


def order_in(layout: AxisLayout, parts: Parts) -> Order:
    """Return the order of the parts in memory, without those of axes that have length 1."""
    missing = len(parts) - len(layout.axes)
    present = [
        place >= missing and layout.axes[place - missing] != () for place in range(len(parts))
    ]
    flat = [size for axis, here in zip(parts, present, strict=True) if here for size in axis]
    cut = layout.reshaped(flat)
    assert cut is not None
    numbers = [n for axis, here in zip(numbered(parts), present, strict=True) if here for n in axis]
    lies = {axis[0]: n for axis, n in zip(cut.axes, numbers, strict=True)}
    return tuple(lies[k] for k in sorted(lies))


def numbered(parts: Parts) -> tuple[tuple[int, ...], ...]:
    ends = list(accumulate((len(axis) for axis in parts), initial=0))
    return tuple(tuple(range(a, b)) for a, b in pairwise(ends))


def laid_in(order: Order, parts: Parts) -> AxisLayout:
    """Return the layout of a value that has the parts of `order`, and length 1 where it has
    none of an axis.
    """
    flat = [size for axis in parts for size in axis]
    place = {part: k for k, part in enumerate(order)}
    axes = tuple(tuple(place[n] for n in axis if n in place) for axis in numbered(parts))
    return AxisLayout(tuple(flat[n] for n in order), axes).merged()


def restricted(order: Order, layout: AxisLayout, parts: Parts) -> Order:
    """Drop the parts of axes that the layout has length 1 along."""
    present = set(order_in(layout, parts))
    return tuple(part for part in order if part in present)


def parts_of(layout: AxisLayout) -> Parts:
    return tuple(tuple(layout.sizes[f] for f in axis) for axis in layout.axes)


def runs(
    parts: Sequence[int], sizes: Sequence[int], shape: Sequence[int]
) -> list[list[int]] | None:
    """Group the parts, in their order, into the axes of a row-major `shape`; None where one
    would be cut.
    """
    rest, stretches = list(parts), list[list[int]]()
    for size in shape:
        run: list[int] = []
        while size > 1:
            part = rest.pop(0)
            if size % sizes[part]:
                return None
            size //= sizes[part]
            run.append(part)
        stretches.append(run)
    return stretches


def four(groups: Sequence[list[int]]) -> list[list[int]]:
    """Arrange one to three groups of parts as the axes of an image, the engine's own form.

    One or two become channels and width; of three the second becomes channels.
    """
    filled = [group for group in groups if group]
    if len(filled) == 3:
        return [filled[0], filled[1], [], filled[2]]
    if len(filled) == 2:
        return [[], filled[0], [], filled[1]]
    return [[], *filled, [], []] if len(filled) == 1 else list(groups)


def _renumbered(pieces: dict[int, list[int]], axes: list[list[tuple[int, int]]]) -> AxisLayout:
    first = dict(
        zip(pieces, accumulate((len(cut) for cut in pieces.values()), initial=0), strict=False)
    )
    sizes = tuple(size for cut in pieces.values() for size in cut)
    return AxisLayout(sizes, tuple(tuple(first[f] + k for f, k in axis) for axis in axes))
