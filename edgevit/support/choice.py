"""Choices, declared beside the code they control. The tuner and `--choose` use nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgevit.errors import UsageError, suggest

Settings = Mapping[str, str]  # choice -> option; missing choices are at their default
ON_OFF = ("on", "off")


@dataclass(frozen=True)
class Choice:
    """One choice. All its options compute the same outputs, within the format's own tolerance."""

    name: str
    options: tuple[str, ...]
    default: str
    why: str  # reason to choose another option

    def __post_init__(self) -> None:
        assert self.default in self.options, self.name


def require_known(settings: Settings, choices: Iterable[Choice], whose: str) -> None:
    """Refuse names and options that are not declared, with a `UsageError`."""
    by_name = {choice.name: choice for choice in choices}
    for name, option in settings.items():
        if name not in by_name:
            raise UsageError(
                f"{whose} leaves no choice called `{name}`",
                where=f"{name}={option}",
                why=f"its choices: {', '.join(by_name) or 'none'}",
                hint=suggest(name, by_name) or "leave it out",
            )
        if option not in by_name[name].options:
            raise UsageError(
                f"`{name}` cannot be `{option}`",
                where=f"{name}={option}",
                why=f"its options: {', '.join(by_name[name].options)}",
                hint=suggest(option, by_name[name].options) or f"{name}={by_name[name].default}",
            )


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """Parse the arguments of `--choose`: `["attention=heads", ...]`."""
    settings: dict[str, str] = {}
    for word in words:
        name, equals, option = word.partition("=")
        if not equals or not name or not option:
            raise UsageError(f"`{word}` is no choice", hint="--choose NAME=OPTION,...")
        if settings.setdefault(name, option) != option:
            raise UsageError(f"the choice `{name}` is made twice")
    return settings
