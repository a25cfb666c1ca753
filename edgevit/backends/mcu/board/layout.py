"""Placement of code, weights, arena, and static data with the stack in a board's memory regions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgevit.errors import MemoryLimitError
from edgevit.targets import MemoryRegion, Target

# What reads and writes fastest, first. External RAM is there after some program has set it up: not for a start.
_DATA = ("dtcm", "ccm", "sram")
_CODE = ("flash", "rom", "external-flash", "itcm")
_FAR = ("external-flash",)

STACK = 8 * 1024  # of the self-test: EV_STACK_BYTES in kernels/port/start_*
_SPARE = 16  # of data memory that only the core reaches at full speed, the part that an arena may take for speed alone
_STATIC = 2 * 1024  # variables of a program around the network, or of the self-test:
_COUNTER = 8  # bytes of the time of each layer,
_COUNTERS_APART = 256  # and a few others
_PROGRAM = 96 * 1024  # code around the weights: an allowance, the linker has the last word


@dataclass(frozen=True)
class BoardLayout:
    code: MemoryRegion
    weights: MemoryRegion
    arena: MemoryRegion
    data: MemoryRegion  # variables and stack


def static_bytes(outputs: int, layers: int) -> int:
    """Return the bytes of variables around a network of so many layers, whose outputs take so many bytes."""
    return outputs + max(_STATIC, layers * _COUNTER + _COUNTERS_APART)


def layout(
    target: Target, arena: int, weights: int, static: int = _STATIC, seam: int = 0
) -> BoardLayout:
    """Place each part in one region, and an arena with a seam in the two that meet there."""
    code = _code(target, weights)
    far = [region for region in target.regions if region.kind in _FAR and region != code]
    home = code
    if weights + _PROGRAM > code.size:
        home = next((region for region in far if weights <= region.size), code)
    around = STACK + static
    if seam:
        return BoardLayout(code, home, *_joined(target, arena, around, seam))
    place = _data(target, arena, "the arena")
    if place.size >= arena + around:
        return BoardLayout(code, home, place, place)
    others = [r for r in _ranked(target) if r != place and r.size >= around]
    if others:
        return BoardLayout(code, home, place, others[0])
    for region in _ranked(target):
        if region.size >= arena + around:
            return BoardLayout(code, home, region, region)
    raise MemoryLimitError(
        f"beside an arena of {arena:,} bytes no region has {around:,} for variables and the stack",
        where=target.title,
        hint="--optimize ram, or a smaller --input-size",
    )


def holds(target: Target, arena: int, static: int = _STATIC, seam: int = 0) -> bool:
    try:
        layout(target, arena, 0, static, seam)
    except MemoryLimitError:
        return False
    return True


def room(target: Target, static: int = _STATIC, across: bool = True) -> int:
    """Return the size of the largest arena that can be placed, `across` two regions where that gives more."""
    sizes = range(0, sum(region.size for region in _ranked(target)) + 1, 16)
    splits = (0, *seams(target)) if across else (0,)
    refused = bisect_left(
        sizes, True, key=lambda size: not any(holds(target, size, static, seam) for seam in splits)
    )
    return sizes[refused - 1] if refused else 0


def seams(target: Target) -> Iterator[int]:
    """Yield the sizes of regions that another one follows: offsets of an arena that lies in both.

    A word across the two may be unpredictable where it is not aligned (tightly coupled memory and
    RAM on a bus: Arm DDI 0489F, 2.4.2), so no buffer may lie across.
    """
    for first, _ in _adjacent(target):
        yield first.size


def _adjacent(target: Target) -> Iterator[tuple[MemoryRegion, MemoryRegion]]:
    ranked = _ranked(target)
    for first in ranked:
        yield from ((first, second) for second in ranked if second.base == first.end)


def _joined(
    target: Target, arena: int, around: int, seam: int
) -> tuple[MemoryRegion, MemoryRegion]:
    """Return two adjacent regions as one, for the arena, and the region for all else: another, or what is left."""
    for first, second in _adjacent(target):
        spare = first.size + second.size - arena
        if first.size != seam or spare < 0:
            continue
        whole = MemoryRegion(f"{first.name}_{second.name}", second.kind, first.base, arena + spare)
        others = [r for r in _ranked(target) if r not in (first, second) and r.size >= around]
        if others:
            return whole, others[0]
        if spare >= around:
            rest = MemoryRegion(f"{second.name}_REST", second.kind, whole.base + arena, spare)
            return replace(whole, size=arena), rest
    raise MemoryLimitError(
        f"no two adjacent regions hold an arena of {arena:,} bytes and have {around:,} for variables and the stack",
        where=target.title,
        hint="--optimize ram, or a smaller --input-size",
    )


def weights_region(target: Target) -> MemoryRegion | None:
    """Return the largest external flash that weights may be put in by themselves, or None."""
    code = _code(target, 0)
    far = [region for region in target.regions if region.kind in _FAR and region != code]
    return max(far, key=lambda region: region.size, default=None)


def spare_bytes(target: Target) -> int:
    """Return the bytes that an arena may take for speed alone: a part of the tightly coupled memory.

    Little else uses that memory. Other RAM is counted as scarce, however much there is.
    """
    return max((r.size // _SPARE for r in target.regions if r.kind == "dtcm"), default=0)


def _code(target: Target, weights: int) -> MemoryRegion:
    """Return the region for code: of the first kind that holds all, else the first there is."""
    regions = sorted(
        (region for region in target.regions if region.kind in _CODE),
        key=lambda region: (_CODE.index(region.kind), -region.size),
    )
    return next((r for r in regions if r.size >= weights + _PROGRAM and _boots(r)), _first(regions))


def _first(regions: list[MemoryRegion]) -> MemoryRegion:
    return next((region for region in regions if _boots(region)), regions[0])


def _boots(region: MemoryRegion) -> bool:
    """Return whether code can start in the region.

    Code begins on chip where there is any choice, because external flash is mapped by code.
    """
    return region.kind != "external-flash"


def _ranked(target: Target) -> list[MemoryRegion]:
    regions = [region for region in target.regions if region.kind in _DATA]
    return sorted(regions, key=lambda region: (_DATA.index(region.kind), -region.size, region.base))


def _data(target: Target, size: int, what: str) -> MemoryRegion:
    ranked = _ranked(target)
    place = next((region for region in ranked if region.size >= size), None)
    if place is None:
        largest = max(ranked, key=lambda region: region.size)
        raise MemoryLimitError(
            f"{what} takes {size:,} bytes, and the largest region has {largest.size:,}",
            where=f"{target.title}, {largest.name}",
            why="it lies in one region",
            hint="--optimize ram, or a smaller --input-size",
        )
    return place
