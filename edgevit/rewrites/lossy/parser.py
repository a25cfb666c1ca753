"""Parser of `--lossy`: from its words to the steps, in the order they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.rewrites.lossy.option import LossyKind, LossyStep, LossyValueError
from edgevit.rewrites.lossy.table import OPTIONS


@dataclass(frozen=True)
class LossyOption:
    name: str
    value: str
    option: LossyKind
    step: LossyStep

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name


def parse_lossy(words: str | Sequence[str]) -> tuple[LossyOption, ...]:
    """Parse `["gelu-tanh,low-rank=0.9", "merge-tokens=8"]`, or one such word."""
    each = [words] if isinstance(words, str) else words
    parts = [part.strip() for word in each for part in word.split(",")]
    chosen = [_choice(part) for part in parts if part]
    for choice in chosen:
        if sum(other.name == choice.name for other in chosen) > 1:
            raise UsageError(
                f"the lossy option `{choice.name}` is given twice",
                where=f"--lossy {','.join(map(str, chosen))}",
                why="each is done once",
                hint="give it once",
            )
    return tuple(chosen)


def _choice(word: str) -> LossyOption:
    name, _, value = word.partition("=")
    if name not in OPTIONS:
        why = "only steps that are declared change what a model computes"
        raise UsageError(
            f"no lossy option is called `{name}`", where=f"--lossy {word}", why=why, hint=_listed()
        )
    option = OPTIONS[name]
    try:
        return LossyOption(name, value, option, option.step(value))
    except LossyValueError as bad:
        message = f"`--lossy {word}` cannot be"
        raise UsageError(message, where=f"--lossy {word}", why=str(bad), hint=_listed()) from bad


def _listed() -> str:
    words = {name: f"{name}={o.value}" if o.value else name for name, o in OPTIONS.items()}
    width = max(map(len, words.values()))
    return "\n".join(f"{words[name]:<{width}}  {option.line}" for name, option in OPTIONS.items())
