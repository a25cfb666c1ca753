"""Options of a backend, declared as data: words of the command line, choices, values in a plan.

A frozen dataclass holds the options, each with a default. One `Word` a field says how it is written.

OPTIONS = OptionsInfo(BrickOptions, (Word("studs", Whole(1, 64), "N", "studs a row", values.count),))
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

from edgevit.errors import PluginError, UsageError
from edgevit.support.backend_info import BACKENDS, info_of
from edgevit.support.choice import Choice, Settings
from edgevit.support.shape import Flag, Shape, Table


@dataclass(frozen=True)
class BackendOptions:
    """Base class of the options types of backends."""

    @property
    def kept_buffers(self) -> tuple[str, ...]:
        """Buffers of the model that become inputs and outputs."""
        return ()


@dataclass(frozen=True)
class Word:
    """One field of an options type: `--name`, and the shape of its values in a plan."""

    name: str
    shape: Shape
    metavar: str = "V"
    help: str = ""  # empty: not a word of the command line; `--choose` alone sets it
    parse: Callable[[str], Any] = str
    shared: bool = False  # other backends may have the same word, which is an option of each

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


T = TypeVar("T")


@dataclass(frozen=True)
class OptionsInfo(Generic[T]):
    kind: type[T]  # frozen dataclass, each field with a default
    words: tuple[Word, ...]  # one a field
    heading: str = ""  # of the words in `--help`
    choices: tuple[Choice, ...] = ()  # of fields that the tuner may set
    table: str = ""  # name of their table in a plan; empty: the format's name
    ram_limit: str = ""  # field with the bytes of RAM allowed, which the tuner keeps to

    def __post_init__(self) -> None:
        names = {word.name for word in self.words}
        assert names == {field.name for field in fields(self.kind)}, self.kind  # type: ignore[arg-type]
        assert names >= {choice.name for choice in self.choices}, self.kind

    @property
    def default(self) -> T:
        return self.kind()

    def of(self, options: BackendOptions | None) -> T:
        """Return the options of a request as the backend's own type. None stands for the default."""
        if options is None:
            return self.default
        assert isinstance(options, self.kind), type(options)
        return options

    def add_words(self, parser: argparse.ArgumentParser, owner: str) -> None:
        """Add a group of words. Several owners may have fields of the same name, but not words."""
        group = parser.add_argument_group(self.heading or f"for {owner}")
        for word in self.words:
            if word.help:
                self._add_word(group, word, owner)

    def _add_word(self, group: argparse._ArgumentGroup, word: Word, owner: str) -> None:
        usual = getattr(self.default, word.name)
        if word.shared and word.flag in group._option_string_actions:
            return
        takes: dict[str, Any] = {"action": "store_true"}
        if not isinstance(word.shape, Flag):
            takes = {"metavar": word.metavar, "type": word.parse}
        try:
            group.add_argument(
                word.flag, dest=_place(owner, word), default=usual, help=word.help, **takes
            )
        except argparse.ArgumentError as error:
            raise PluginError(
                f"the option `{word.flag}` is taken",
                where=f"options of the backend {owner}",
                why=str(error),
                hint="remove the distribution that adds the backend, or rename its option",
            ) from error

    def from_words(self, words: argparse.Namespace, owner: str) -> T:
        """Return the options that `add_words` has parsed."""
        places = {word.name: _place(owner, word) for word in self.words if word.help}
        return self.kind(**{name: getattr(words, place) for name, place in places.items()})

    def changed(self, options: T) -> dict[str, Any]:
        """Return the fields that are not at their default, as in a plan."""
        values = {word.name: getattr(options, word.name) for word in self.words}
        return {k: v for k, v in values.items() if v != getattr(self.default, k)}

    def flags(self, options: T) -> list[str]:
        """Return the names of the words that are not at their default."""
        changed = self.changed(options)
        return [word.flag for word in self.words if word.name in changed]

    def to_words(self, options: T) -> list[str]:
        """Return the words of the command line that give the same options."""
        changed = self.changed(options)
        said = [word for word in self.words if word.help and word.name in changed]
        return [part for word in said for part in _written(word, changed[word.name])]

    def to_choices(self, options: T) -> dict[str, str]:
        """Return the settings of `--choose` for the fields that have no word of their own."""
        changed = self.changed(options)
        silent = [word.name for word in self.words if not word.help]
        return {name: str(changed[name]) for name in silent if name in changed}

    def with_choices(self, options: T, settings: Settings) -> T:
        """Return the options with the settings that are not at their default."""
        parse = {word.name: word.parse for word in self.words}
        chosen = {
            choice.name: parse[choice.name](settings[choice.name])
            for choice in self.choices
            if settings.get(choice.name, choice.default) != choice.default
        }
        return replace(options, **chosen)  # type: ignore[type-var]

    def shape(self) -> Table:
        """Return the shape of the options in a plan."""
        shapes = {word.name: word.shape for word in self.words}
        return Table(shapes, optional=tuple(shapes))

    def from_table(self, values: Mapping[str, Any]) -> T:
        """Return the options of a plan's table, whose shape is checked."""
        whole = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return self.kind(**whole)


def options_info(format: str) -> OptionsInfo[BackendOptions] | None:
    """Return what a backend says of its options, or None if it has none."""
    info = info_of(format)
    return info.part(info.options) if info.options else None


def shared_flags(format: str) -> tuple[str, ...]:
    """Return the words of a backend that others may have too."""
    info = options_info(format)
    return tuple(word.flag for word in info.words if word.shared) if info else ()


def optioned() -> Iterator[tuple[str, OptionsInfo[BackendOptions]]]:
    """Yield the backends that have options of their own."""
    for format in BACKENDS:
        if info := options_info(format):
            yield format, info


def by_format(
    options: BackendOptions | Mapping[str, BackendOptions] | None,
) -> dict[str, BackendOptions]:
    """Return options that are not the defaults, by format. The type of a single one names its own."""
    if options is None:
        return {}
    whole = dict(options) if isinstance(options, Mapping) else {_format_of(options): options}
    return {k: one for k, one in whole.items() if _require_own(k, one).default != one}


def _format_of(options: object) -> str:
    for format, info in optioned():
        if isinstance(options, info.kind):
            return format
    raise UsageError(
        f"{type(options).__name__} is no backend's options",
        where="backend_options",
        why=f"the backends have {_kinds()}",
        hint="give one of those, or a mapping from format to one",
    )


def _require_own(format: str, options: object) -> OptionsInfo[BackendOptions]:
    info = options_info(format)
    if info is None or not isinstance(options, info.kind):
        raise UsageError(
            f"{type(options).__name__} is not of the backend {format}",
            where="backend_options",
            why=f"it takes {info.kind.__name__}" if info else "it has no options of its own",
            hint=f"the backends have {_kinds()}",
        )
    return info


def _kinds() -> str:
    return ", ".join(f"{info.kind.__name__} ({format})" for format, info in optioned()) or "none"


def _place(owner: str, word: Word) -> str:
    return word.name if word.shared else f"{owner}.{word.name}"


def _written(word: Word, value: Any) -> list[str]:
    if isinstance(word.shape, Flag):
        return [word.flag]
    if isinstance(value, list | tuple):
        return [f"{word.flag}={','.join(map(str, value))}"]
    text = str(value)
    return [f"{word.flag}={text}"] if text.startswith("-") else [word.flag, text]
