"""Parser of `--lossy`: from its words to the steps, in the order they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.rewrites.lossy.option import LossyValueError, Option, Step
from edgevit.rewrites.lossy.table import OPTIONS


@dataclass(frozen=True)
class Choice:
    name: str
    value: str
    option: Option
    step: Step

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name


def choices(words: str | Sequence[str]) -> tuple[Choice, ...]:
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


def _choice(word: str) -> Choice:
    name, _, value = word.partition("=")
    if name not in OPTIONS:
        why = "only steps that are declared change what a model computes"
        raise UsageError(
            f"no lossy option is called `{name}`", where=f"--lossy {word}", why=why, hint=_listed()
        )
    option = OPTIONS[name]
    try:
        return Choice(name, value, option, option.step(value))
    except LossyValueError as bad:
        message = f"`--lossy {word}` cannot be"
        raise UsageError(message, where=f"--lossy {word}", why=str(bad), hint=_listed()) from bad


def _listed() -> str:
    words = {name: f"{name}={o.value}" if o.value else name for name, o in OPTIONS.items()}
    width = max(map(len, words.values()))
    return "\n".join(f"{words[name]:<{width}}  {option.line}" for name, option in OPTIONS.items())
