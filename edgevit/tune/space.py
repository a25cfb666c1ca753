"""Search space of a model on a target. It only enumerates: backends declare the choices."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgevit.backends import backend_for
from edgevit.errors import TargetError
from edgevit.export import choices_of
from edgevit.rewrites.lossy.table import lossy_choices
from edgevit.support.backend_info import BACKENDS, is_integer
from edgevit.support.choice import Choice
from edgevit.targets import Target

Point = Mapping[str, str]  # option of `format` and of each of its choices
FORMAT = "format"


@dataclass(frozen=True)
class Space:
    formats: tuple[str, ...]  # the default first
    choices: Mapping[str, tuple[Choice, ...]]  # by format; each with several options
    fixed_precision: Mapping[str, str] = field(default_factory=dict)  # format -> its only precision

    def default(self, format: str | None = None) -> Point:
        name = format or self.formats[0]
        return {FORMAT: name, **{c.name: c.default for c in self.choices[name]}}

    def size(self) -> int:
        return sum(
            math.prod(len(choice.options) for choice in self.choices[format])
            for format in self.formats
        )

    def changes(self, point: Point) -> Iterator[Point]:
        """Yield the points that differ from this one in one choice."""
        for choice in self.choices[point[FORMAT]]:
            for option in choice.options:
                if option != point[choice.name]:
                    yield {**point, choice.name: option}

    def why(self, point: Point) -> dict[str, str]:
        """Map the choices that are not at their default to their reasons."""
        return {
            choice.name: choice.why
            for choice in self.choices[point[FORMAT]]
            if point[choice.name] != choice.default
        }

    def drawn(self, generator: random.Random) -> Point:
        format = generator.choice(self.formats)
        drawn = {c.name: generator.choice(c.options) for c in self.choices[format]}
        return {FORMAT: format, **drawn}

    def without(self, no_effect: Mapping[str, Sequence[tuple[str, str]]]) -> Space:
        """Return the space without the options, by format, that have no effect on this model."""
        by_format = {
            format: tuple(
                fewer
                for choice in choices
                if len((fewer := _less(choice, set(no_effect.get(format, ())))).options) > 1
            )
            for format, choices in self.choices.items()
        }
        return Space(self.formats, by_format, self.fixed_precision)


def _less(choice: Choice, no_effect: set[tuple[str, str]]) -> Choice:
    options = tuple(option for option in choice.options if (choice.name, option) not in no_effect)
    return replace(choice, options=options)


def space_for(
    target: Target, formats: Sequence[str], cores: int, lossy: bool, pictures: bool = False
) -> Space:
    """Return the search space of the formats.

    `cores`: of the device, for the choice of threads. `lossy`: offer lossy steps, too. `pictures`:
    offer the precisions in integers, whose ranges are chosen on them.
    """
    choices, fixed_precision = {}, {}
    for format in formats:
        precision = _precision(target, format, pictures)
        fixed_precision[format] = precision.default
        open_choices = [precision] if len(precision.options) > 1 else []
        open_choices += choices_of(format, backend_for(format, target))
        open_choices += lossy_choices(pictures, BACKENDS[format].firmware) if lossy else ()
        open_choices += threads_choice(cores)
        choices[format] = tuple(open_choices)
    return Space(tuple(formats), choices, fixed_precision)


def formats_of(target: Target, asked: Sequence[str] | None, taken: Sequence[str]) -> list[str]:
    """Return the target's or requested formats that edgevit writes and the runner accepts."""
    requested = [target.format(f) for f in asked] if asked else list(target.formats)
    formats = [format for format in requested if format in BACKENDS and format in taken]
    if not formats:
        raise TargetError(
            f"nothing for {target.name} can be measured there",
            why=f"it takes {', '.join(requested)}; what can be measured: {', '.join(taken)}",
            hint="--on another device",
        )
    return formats


def threads_choice(cores: int) -> list[Choice]:
    """Return the choice of a number of threads for a device of `cores` cores."""
    if cores < 2:
        return []
    counts = sorted({1, *(2**k for k in range(1, cores.bit_length()) if 2**k < cores)})
    why = "small nets lose more by waiting for threads than they gain"
    return [Choice("threads", ("all", *map(str, counts)), "all", why)]


def _precision(target: Target, format: str, pictures: bool) -> Choice:
    written = target.written(format)
    floats = [p for p in written if not is_integer(p)]
    options = written if pictures or not floats else tuple(floats)
    if not options:
        raise TargetError(
            f"edgevit writes {format} in none of the precisions of {target.name}",
            why=f"the target takes {', '.join(target.precisions)}; {format}: {', '.join(BACKENDS[format].precisions)}",
        )
    why = "fewer bits are less to move and to multiply, and further from the model"
    return Choice("precision", options, options[0], why)


def point_key(point: Point) -> str:
    """Return a key of the choices, independent of their order."""
    return hashlib.sha256(json.dumps(dict(point), sort_keys=True).encode()).hexdigest()[:16]


def point_text(point: Point, space: Space) -> str:
    """Return the format, and the choices that are not at their default."""
    default = space.default(point[FORMAT])
    changed = [f"{k}={v}" for k, v in point.items() if k != FORMAT and default.get(k) != v]
    return " ".join([point[FORMAT], *changed])
