"""Target catalogue: find target files, resolve names, aliases and `extends`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import InternalError, TargetError, suggest
from edgevit.plugins import Registry
from edgevit.support.backend_info import BACKENDS
from edgevit.support.resources import data_dir
from edgevit.support.strangers_text import MalformedTextError, read_toml
from edgevit.targets import schema
from edgevit.targets.fields import Fields
from edgevit.targets.refused import unknown_target, untaken_format
from edgevit.targets.target import Target

FOLDERS: Registry[os.PathLike[str]] = Registry("edgevit.targets", dict)  # folders of target files


@dataclass(frozen=True)
class _File:
    path: Path
    shown: str  # the path as errors print it
    family: str
    name: str
    aliases: tuple[str, ...]
    extends: str | None
    is_base: bool  # facts that several targets share; no device by itself
    values: Mapping[str, Any]


def list_targets(folder: Path | None = None) -> tuple[Target, ...]:
    """Return every target under `folder` (default: the shipped ones), by family and name."""
    shipped = _read_folder(folder) if folder else _shipped()
    files = sorted(shipped.values(), key=lambda file: (file.family, file.name))
    return tuple(_build(file, shipped) for file in files if not file.is_base)


def load_target(name_or_path: str | os.PathLike[str], folder: Path | None = None) -> Target:
    """Return the target of a name or alias, or of the user's own TOML file."""
    shipped = _read_folder(folder) if folder else _shipped()
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or "/" in text or os.sep in text:
        return _load_file(_expanded(text), shipped)
    by_word = _by_word(shipped)
    if text not in by_word:
        names = [word for word, file in by_word.items() if not file.is_base]
        raise unknown_target(text, names, list_targets(folder))
    return _build(by_word[text], shipped)


def require_taken(target: Target, formats: Iterable[str | None]) -> None:
    """Refuse a format that the target does not take, with the devices that do."""
    for format in formats:
        if format and format in BACKENDS and format not in target.formats:
            raise untaken_format(format, target, list_targets())


@functools.cache
def _shipped() -> Mapping[str, _File]:
    """Return the files of edgevit and of installed distributions, read once per process."""
    files = _read_folder(data_dir("targets"))
    for name in FOLDERS:
        for file in _read_folder(Path(FOLDERS[name])).values():
            _check_new_names(file, _by_word(files))
            files[file.name] = file
    return files


def _load_file(path: Path, shipped: Mapping[str, _File]) -> Target:
    own = _read_file(path, shown=str(path))
    _check_new_names(own, _by_word(shipped))
    return _build(own, shipped, follows_chain=True)


def _read_folder(folder: Path) -> dict[str, _File]:
    if not folder.is_dir():
        raise InternalError("the target files are not where they belong", where=str(folder))
    files: dict[str, _File] = {}
    for path in sorted(folder.rglob("*.toml")):
        shown = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        file = _read_file(path, shown=shown, family=path.parent.name)
        if file.name != path.stem:
            why = f"`{file.name}` is looked for in {file.name}.toml"
            raise TargetError("name and file name differ", where=f"{shown}  name", why=why)
        _check_new_names(file, _by_word(files))
        files[file.name] = file
    return files


def _read_file(path: Path, *, shown: str, family: str = "") -> _File:
    values = _read_toml(path, shown)
    schema.check_sources(values, shown)
    fields = Fields(values, shown, allowed=schema.KEYS)
    file = _File(
        path=path,
        shown=shown,
        family=family,
        name=fields.need("name", str),
        aliases=fields.names("aliases"),
        extends=fields.get("extends", str),
        is_base=fields.get("base", bool) or False,
        values=values,
    )
    for key, words in (("name", (file.name,)), ("aliases", file.aliases)):
        for word in words:
            schema.check_name(word, fields.where(key))
    return file


def _read_toml(path: Path, shown: str) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        hint = "a name without / or .toml is looked up among the shipped targets"
        why = error.strerror or str(error)
        raise TargetError("cannot read the target file", where=shown, why=why, hint=hint) from error
    except MalformedTextError as error:
        where = f"{shown}:{error.line}" if error.line else shown
        raise TargetError("this is not a TOML file", where=where, why=error.why) from error


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # `~user` of an unknown user: a folder of that name
        return Path(text)


def _by_word(files: Mapping[str, _File]) -> dict[str, _File]:
    return {word: file for file in files.values() for word in (file.name, *file.aliases)}


def _check_new_names(file: _File, files: Mapping[str, _File]) -> None:
    for word in (file.name, *file.aliases):
        if word in files:
            why = f"{files[word].shown} has it"
            raise TargetError(f"the name `{word}` is taken", where=file.shown, why=why)
    if file.name in file.aliases:
        why = "an alias is another name"
        where = f"{file.shown}  aliases"
        raise TargetError(f"`{file.name}` is an alias of itself", where=where, why=why)


def _build(file: _File, shipped: Mapping[str, _File], *, follows_chain: bool = False) -> Target:
    if file.is_base:
        heirs = [other.name for other in shipped.values() if other.extends == file.name]
        raise TargetError(
            f"`{file.name}` holds what a family of targets shares and is no device",
            where=file.shown,
            why="`base = true`",
            hint=suggest(file.name, heirs) or "extend it in a file of your own",
        )
    values, origins = _inherit(file, shipped, follows_chain=follows_chain)
    return schema.build(
        values, file=file.path, shown=file.shown, family=file.family, origins=origins
    )


def _inherit(
    file: _File, shipped: Mapping[str, _File], *, follows_chain: bool
) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Merge the file's values over those it extends. Return them, and each inherited key's file.

    A shipped file extends one base and no further, so that two files describe it fully. A user's
    own file may extend any shipped target, and so follows that target's own `extends` too.
    """
    if file.extends is None:
        return file.values, {}
    base = _base_of(file, shipped)
    if base.extends is None:
        values, origins = base.values, {}
    elif follows_chain:
        values, origins = _inherit(base, shipped, follows_chain=False)
    else:
        raise TargetError(
            f"`{file.name}` extends `{base.name}`, which extends `{base.extends}`",
            where=f"{file.shown}  extends",
            why="a target extends one other, which extends none",
            hint=f"extend `{base.extends}`",
        )
    inherited = {key: origins.get(key, base.shown) for key in values if key not in file.values}
    return schema.merge(values, file.values), inherited


def _base_of(file: _File, shipped: Mapping[str, _File]) -> _File:
    name = file.extends or ""
    where = f"{file.shown}  extends"
    if name == file.name:
        why = "a target extends another one"
        raise TargetError(f"`{name}` extends itself", where=where, why=why)
    by_word = _by_word(shipped)
    if name not in by_word:
        hint = suggest(name, by_word)
        raise TargetError(
            f"`{file.name}` extends `{name}`", where=where, why="no such target", hint=hint
        )
    base = by_word[name]
    if base.extends in (file.name, *file.aliases):
        why = f"{base.shown} extends `{base.extends}`"
        raise TargetError(
            f"`{file.name}` and `{base.name}` extend each other", where=where, why=why
        )
    return base
