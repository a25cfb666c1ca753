"""Choose few random nets that have as many spellings of blocks among them as they can."""

from __future__ import annotations

import functools

from tests.generator.nets import ALL, RandomNet

POOL = 400  # seeds to choose from


@functools.cache
def spellings_of(seed: int) -> frozenset[str]:
    return frozenset(RandomNet(seed).names)


@functools.cache
def covering_seeds(count: int) -> tuple[int, ...]:
    """Pick greedily the net with most spellings that no net before it has; ties go to the lower seed."""
    candidates, covered, seeds = set(range(POOL)), set[str](), []
    for _ in range(count):
        best = max(candidates, key=lambda seed: (len(spellings_of(seed) - covered), -seed))
        candidates.remove(best)
        covered |= spellings_of(best)
        seeds.append(best)
    return tuple(sorted(seeds))


def uncovered_blocks(seeds: tuple[int, ...]) -> set[str]:
    """Return the kinds of block, in whatever spelling, that no net of `seeds` has."""
    spellings = set().union(*map(spellings_of, seeds))
    return {make.__name__ for make in ALL} - {name.partition(":")[0] for name in spellings}
