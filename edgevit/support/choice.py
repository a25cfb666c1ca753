"""What may be chosen, declared beside what it steers: the tuner and `--choose` know nothing but these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgevit.errors import UsageError, suggest

Settings = Mapping[str, str]  # choice -> option; what is not in it is at its default
ON_OFF = ("on", "off")


@dataclass(frozen=True)
class Choice:
    """Every option computes the same thing, as far as the format's own check demands."""

    name: str
    options: tuple[str, ...]
    default: str
    why: str  # what speaks for the other options

    def __post_init__(self) -> None:
        assert self.default in self.options, self.name


def require_known(settings: Settings, choices: Iterable[Choice], whose: str) -> None:
    """Raises `UsageError` for a name or an option that nobody has declared."""
    known = {choice.name: choice for choice in choices}
    for name, option in settings.items():
        if name not in known:
            raise UsageError(
                f"{whose} leaves no choice called `{name}`",
                where=f"{name}={option}",
                why=f"its choices: {', '.join(known) or 'none'}",
                hint=suggest(name, known) or "leave it out",
            )
        if option not in known[name].options:
            raise UsageError(
                f"`{name}` cannot be `{option}`",
                where=f"{name}={option}",
                why=f"its options: {', '.join(known[name].options)}",
                hint=suggest(option, known[name].options) or f"{name}={known[name].default}",
            )


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """`["attention=heads", ...]`, as `--choose` takes them."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, option = word.partition("=")
        if not equals or not name or not option:
            raise UsageError(f"`{word}` is no choice", hint="--choose NAME=OPTION,...")
        if found.setdefault(name, option) != option:
            raise UsageError(f"the choice `{name}` is made twice")
    return found
