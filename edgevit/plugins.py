"""Registries of backends, frontends, rules, runners and targets: built-in and from entry points.

A distribution adds an object by an entry point, whose group gives its kind:

    [project.entry-points."edgevit.backends"]
    raw = "my_package.raw:INFO"

Entry points are imported on first use. Two with the same name are an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from edgevit.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = (
    "edgevit.backends",
    "edgevit.frontends",
    "edgevit.rules",
    "edgevit.runners",
    "edgevit.targets",
)
T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Mapping of one group's objects by name. `own` maps built-in names to `module:attribute`."""

    def __init__(self, group: str, own: Callable[[], Mapping[str, str]]) -> None:
        self.group = group
        self._own = own
        self._loaded: dict[str, T] = {}

    @cached_property
    def places(self) -> dict[str, str]:
        """Map names to `module:attribute`; nothing is imported."""
        from importlib.metadata import entry_points  # a tenth of the time of `edgevit --help`

        places = dict(self._own())
        owners = dict.fromkeys(places, "edgevit")
        for entry in entry_points(group=self.group):
            if entry.name in places:
                raise _taken(self.group, entry, owners[entry.name])
            places[entry.name] = entry.value
            owners[entry.name] = distribution_of(entry)
        return places

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            self._loaded[name] = load(self.places[name], self.group)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, name: object) -> bool:
        return name in self.places


def load(place: str, group: str) -> Any:
    """Import and return `module:attribute`. Raises `PluginError` if that fails."""
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"`{place}` cannot be imported",
            where=f"entry point of {group}",
            why=f"{type(error).__name__}: {error}",
            hint="reinstall the distribution that has it, or remove it",
        ) from error


def installed() -> tuple[tuple[str, EntryPoint], ...]:
    """Return the group and entry point of every installed plugin."""
    from importlib.metadata import entry_points

    return tuple((group, entry) for group in GROUPS for entry in entry_points(group=group))


def distribution_of(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"


def _taken(group: str, entry: EntryPoint, owner: str) -> PluginError:
    return PluginError(
        f"the name `{entry.name}` is taken",
        where=f"entry point of {group} in {distribution_of(entry)}",
        why=f"{owner} has it already",
        hint="remove one of the two distributions, or rename the entry point",
    )
