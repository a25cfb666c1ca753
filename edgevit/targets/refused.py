"""Errors for targets, formats and precisions that do not exist, or that a target does not take.

A suggestion is of the kind that was asked for: a device for a device, a format for a format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from edgevit.errors import TargetError, nearest, suggest
from edgevit.support.backend_info import BACKENDS, precisions
from edgevit.targets.other_words import DEVICES, PRECISIONS, same_letters

_LISTED = 3


class NamedDevice(Protocol):
    """What an error says of a `Target`, which raises these errors itself."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def family(self) -> str: ...
    @property
    def file(self) -> Path: ...
    @property
    def formats(self) -> tuple[str, ...]: ...
    @property
    def offered(self) -> tuple[str, ...]: ...
    def written(self, format: str) -> tuple[str, ...]: ...


def unknown_target(text: str, names: Iterable[str], targets: Sequence[NamedDevice]) -> TargetError:
    """Return the error for a word that names no device. `names`: those of devices, with aliases."""
    pool = sorted(names)
    why = "it is neither the name nor an alias of a shipped target"
    word = same_letters(text)
    if same := [name for name in pool if same_letters(name) == word]:
        hint = _meant(same[:1])
    elif (other := DEVICES.get(word)) and (names := [n for n in other.instead if n in pool]):
        why, hint = other.why or why, _meant(names)
    elif format := _format_called(word):
        why = f"`{format}` is a format, and a target is a device"
        hint = _with_option("format", format, [t for t in targets if format in t.formats])
    elif word in map(same_letters, precisions()) or word in PRECISIONS:
        precision = _first_there(PRECISIONS.get(word, (text.lower(),)), precisions())
        why = f"`{text}` is a precision, and a target is a device"
        hint = _with_option("precision", precision, [t for t in targets if precision in t.offered])
    elif text.endswith(".py"):
        why = "a target is a device, by name or by a .toml file"
        hint = "the model comes first: edgevit export net.py:build --target iphone"
    else:
        near = nearest(word, pool)
        hint = _meant(
            [n for n in near if _begins(n, word, 3)] or [n for n in near if _begins(n, word, 1)]
        )
    return TargetError(f"no target is called `{text}`", where=text, why=why, hint=hint)


def unknown_format(text: str, target: NamedDevice) -> TargetError:
    word = same_letters(text)
    why = f"formats: {', '.join(BACKENDS)}"
    others = [(name, dict(info.instead_of)) for name, info in BACKENDS.items()]
    if instead := [(name, reasons[word]) for name, reasons in others if word in reasons]:
        why, hint = instead[0][1], f"--format {instead[0][0]}"
    elif format := _format_called(word):
        hint = f"did you mean `{format}`?" + _if_untaken(format, target)
    elif word in DEVICES or text in (target.name, *target.aliases):
        hint = f"a device is a --target; `{target.name}` takes --format {', '.join(target.formats)}"
    else:
        hint = suggest(text, BACKENDS) or f"--format {target.formats[0]}"
    return TargetError(
        f"no format is called `{text}`", where=f"--target {target.name}", why=why, hint=hint
    )


def unknown_precision(
    text: str, target: NamedDevice, written: Sequence[str], how: str
) -> TargetError:
    same = [p for p in written if same_letters(p) == same_letters(text)]
    meant = same or [p for p in PRECISIONS.get(same_letters(text), ()) if p in written]
    hint = _meant(meant, "") if meant else suggest(text, written) or f"--precision {written[0]}"
    return TargetError(
        f"no precision is called `{text}`",
        where=f"--target {target.name}",
        why=f"precisions{how}: {', '.join(written)}",
        hint=hint,
    )


def untaken_format(
    format: str, target: NamedDevice, targets: Sequence[NamedDevice] = ()
) -> TargetError:
    """Return the error for a format that a device does not take. `targets`: where to look for one."""
    others = [t for t in targets if format in t.formats]
    elsewhere = f"; for {format}, {_devices(others)}" if others else ""
    return TargetError(
        f"`{target.name}` does not take the format `{format}`",
        where=str(target.file),
        why=f"it takes {', '.join(target.formats)}{_lacks(format, target)}",
        hint=f"--format {target.formats[0]}{elsewhere}",
    )


def _lacks(format: str, target: NamedDevice) -> str:
    """Return why a chip or NPU that the device does have is not the format's, or an empty string."""
    place = BACKENDS[format].missing_facts if format in BACKENDS else None
    lacks = BACKENDS[format].part(place)(target) if place else None
    if lacks is None or lacks[0] not in {"soc", "npu"} or getattr(target, lacks[0], None) is None:
        return ""
    return f"; {lacks[1]}"


def untaken_precision(precision: str, target: NamedDevice, format: str) -> TargetError:
    written = target.written(format)
    others = [f for f in target.formats if precision in target.written(f)]
    meant = [p for p in PRECISIONS.get(same_letters(precision), ()) if p in written]
    own = f"--precision {(meant or list(written))[0]}"
    elsewhere = f", or --format {others[0]} --precision {precision}" if others else ""
    return TargetError(
        f"`{target.name}` does not take the precision `{precision}` with {format}",
        where=str(target.file),
        why=f"it takes {', '.join(written)} with {format}",
        hint=own + elsewhere,
    )


def _format_called(word: str) -> str | None:
    names = {name: {same_letters(name), *info.called} for name, info in BACKENDS.items()}
    return next((name for name, words in names.items() if word in words), None)


def _meant(names: Sequence[str], otherwise: str = "`edgevit targets` lists them") -> str:
    shown = list(dict.fromkeys(names))[: _LISTED + 1]
    return f"did you mean {' or '.join(f'`{n}`' for n in shown)}?" if shown else otherwise


def _begins(name: str, word: str, letters: int) -> bool:
    """Check that a near name begins like the word: `ios` is not near `pico`."""
    return same_letters(name)[:letters] == word[:letters]


def _with_option(option: str, value: str, targets: Sequence[NamedDevice]) -> str:
    devices = _devices(targets)
    return f"{devices} --{option} {value}" if devices else "`edgevit targets` lists them"


def _devices(targets: Sequence[NamedDevice]) -> str:
    """Return one device of each family."""
    by_family: dict[str, str] = {}
    for target in targets:
        by_family.setdefault(target.family, (*target.aliases, target.name)[0])
    return "--target " + " or ".join([*by_family.values()][:_LISTED]) if targets else ""


def _if_untaken(format: str, target: NamedDevice) -> str:
    return "" if format in target.formats else f" `{target.name}` takes {', '.join(target.formats)}"


def _first_there(names: Sequence[str], there: Sequence[str]) -> str:
    return next((name for name in names if name in there), there[0])
