"""Counts of the tokens that go after each attention: `8`, `8:8:4`, `4:0:2...`, or shares: `0.3`, `0:0.3:0.3`.

`@net.pth` has them from training.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.rewrites.lossy.learnt_counts import learnt_counts
from edgevit.rewrites.lossy.option import LossyValueError

TokenCount = int | float  # below 1 a share of the tokens that may go


@dataclass(frozen=True)
class TokenCounts:
    numbers: tuple[TokenCount, ...]
    goes_on: bool  # the last one, to the attentions behind

    @classmethod
    def parsed(cls, option: str, value: str, adds: int = 0) -> TokenCounts:
        """Parse an option's value; behind `@` a file that training wrote. Raises `LossyValueError`.

        `adds`: tokens that the first reduction puts in the place of those that go.
        """
        if value.startswith("@"):
            counts = list(learnt_counts(value[1:]))
            counts[next(k for k, count in enumerate(counts) if count)] += adds
            return cls(tuple(counts), False)
        words = value.removesuffix("...").split(":")
        try:
            numbers = tuple(map(_count, words))
        except ValueError:
            numbers = ()
        if not any(numbers):
            raise LossyValueError(
                f"its value is how many tokens go after each attention, or a share below 1 of them: "
                f"{option}=8, 8:8:4, 4:0:2..., 0.3, or @FILE of counts that were learnt"
            )
        return cls(numbers, value.endswith("...") or ":" not in value)

    def for_each(self, option: str, attentions: int) -> list[TokenCount]:
        """Return the count of each attention.

        A share alone goes at a quarter, half and three quarters of them (Liang et al. 2022, EViT).
        """
        if len(self.numbers) > attentions:
            raise UsageError(
                f"{option} has {len(self.numbers)} counts, and the model {attentions} attentions",
                where=f"--lossy {option}=...",
                why="there is at most one count for each attention",
                hint=f"at most {attentions} counts, or one alone for every attention",
            )
        (first, *more), last = self.numbers, self.numbers[-1]
        if isinstance(first, float) and not more:
            places = {quarter * attentions // 4 for quarter in (1, 2, 3)}
            return [first if place in places else 0 for place in range(attentions)]
        return [*self.numbers, *[last if self.goes_on else 0] * (attentions - len(self.numbers))]


def _count(word: str) -> TokenCount:
    if word.isdecimal() and word.isascii():
        return int(word)
    if not word.startswith("0.") or not 0 < (share := float(word)) < 1:
        raise ValueError(word)
    return share


def resolved(count: TokenCount, candidates: int, most: int) -> int:
    """Return the number of tokens that go: a share is of the candidates, and of them at most `most`."""
    return min(round(count * candidates), most) if isinstance(count, float) else count
