"""Spaces of nets: the built-in `vit`, or an object of the user's. A point of one is a model's spec.

A user's object has `knobs`, a mapping from a name to its options, and one of two methods, which
take a mapping from each name to an option: `spec(point)` returns a spec as `edgevit export` takes
it, `build(point)` a module, or a module and its example inputs. A method may raise `ValueError` for
options that do not go together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import ModelError, UsageError
from edgevit.frontend import load_object
from edgevit.support.choice import Choice
from edgevit.tune import Point, Space

BUILT_IN = "vit"
_FAMILY = "format"  # key of a point, by which a study tells one list of choices from another
_MOST_TOKENS = 256
_WHY = "a net of another shape"
Options = Mapping[str, Any]

BUILDER = '''"""A net of {space}, as `edgevit search` drew it."""

from edgevit.frontend import load_object


def build():
    return load_object({space!r}).build({point!r})
'''


@dataclass(frozen=True)
class NetSpace:
    """Knobs of a space, and the spec of a point; None: its `build` is called from a file."""

    name: str
    knobs: Mapping[str, Sequence[Any]]
    spec: Callable[[Options], str] | None

    def space(self) -> Space:
        choices = tuple(
            Choice(name, texts, texts[0], _WHY)
            for name, options in self.knobs.items()
            if len(texts := tuple(map(str, options))) > 1
        )
        return Space((BUILT_IN,), {BUILT_IN: choices})

    def options(self, point: Point) -> dict[str, Any]:
        """Return the option of each knob. A knob with one option has no place in a point."""
        return {
            name: next((o for o in options if str(o) == point.get(name)), options[0])
            for name, options in self.knobs.items()
        }

    def spec_of(self, point: Point, folder: Path) -> str:
        """Return a point's spec, whose builder is written to the folder where it needs one."""
        options = self.options(point)
        if self.spec is not None:
            return self.spec(options)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "net.py"
        path.write_text(BUILDER.format(space=self.name, point=options))
        return f"{path}:build"


def point_words(point: Point) -> str:
    return " ".join(f"{name}={option}" for name, option in point.items() if name != _FAMILY)


def open_space(name: str, size: int, classes: int) -> NetSpace:
    """Return a space by its name. `size`, `classes`: of the built-in one, whose nets fit the data."""
    if name == BUILT_IN:
        return _vit(size, classes)
    if ":" not in name:
        raise UsageError(
            f"no space is called `{name[:200]}`",
            where="SPACE",
            why=f"there is {BUILT_IN}",
            hint=f"{BUILT_IN}, or a space of yours: nets.py:SPACE",
        )
    return _users(name, load_object(name))


def _users(name: str, own: Any) -> NetSpace:
    knobs: Any = getattr(own, "knobs", None)
    spec: Any = getattr(own, "spec", None)
    if not isinstance(knobs, Mapping) or not all(map(_is_knob, knobs.items())):
        raise ModelError(
            f"`{name}` has no knobs",
            where=name,
            why="`knobs` is a mapping from a name to at least one option: numbers or texts, all different",
            hint='knobs = {"width": (32, 64), "depth": (2, 4)}',
        )
    if not callable(spec) and not callable(getattr(own, "build", None)):
        raise ModelError(
            f"`{name}` makes no net of its knobs",
            where=name,
            why="it has neither `spec(point)` nor `build(point)`",
            hint="def build(self, point): return Net(point['width'], point['depth'])",
        )
    by_spec: Any = spec if callable(spec) else None
    return NetSpace(_absolute(name), knobs, by_spec)


def _is_knob(item: tuple[Any, Any]) -> bool:
    name, options = item
    if not isinstance(name, str) or name == _FAMILY or not isinstance(options, Sequence):
        return False
    plain = all(isinstance(option, str | int | float) for option in options)
    return bool(options) and plain and len(set(map(str, options))) == len(options)


def _absolute(name: str) -> str:
    """Return the spec of a file with its whole path: a builder is run from another folder."""
    place, _, attribute = name.rpartition(":")
    return f"{Path(place).resolve()}:{attribute}" if place.endswith(".py") else name


def _vit(size: int, classes: int) -> NetSpace:
    """Build MCUFormer's space (Liang et al., 2023): a patch, a width, a depth, heads, a ratio, a rank."""
    patches = [p for p in (2, 4, 8, 16, 32) if size % p == 0 and 4 <= (size // p) ** 2 <= _MOST_TOKENS]  # fmt: skip
    if not patches:
        raise UsageError(
            f"pictures of {size} pixels are cut into no patches of the space",
            where="--input-size",
            why="patches are of 2, 4, 8, 16 or 32 pixels, 4 to 256 in a picture",
            hint="--input-size 32, or another multiple of 4",
        )
    knobs = {
        "patch": patches,
        "width": (16, 24, 32, 48, 64, 96, 128),
        "layers": (1, 2, 3, 4, 5, 6),
        "heads": (1, 2, 4, 8),
        "ratio": (1, 2, 3, 4),
        "rank": ("whole", "half", "quarter"),
    }

    def spec(options: Options) -> str:
        width = options["width"]
        rank = {"whole": 0, "half": width // 2, "quarter": width // 4}[options["rank"]]
        words = [f"i{size}", f"p{options['patch']}", f"d{width}", f"h{options['heads']}"]
        words += [f"l{options['layers']}", f"m{options['ratio']}", f"c{classes}"]
        return "zoo:" + "-".join(["vit", *words, *([f"r{rank}"] if rank else [])])

    return NetSpace(BUILT_IN, knobs, spec)
