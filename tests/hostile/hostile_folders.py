"""Folders that are no exports, given to every command that reads one."""

from __future__ import annotations

from tests.hostile.case import Case, Room

COMMANDS = ("verify", "profile", "check", "report", "run", "simulate")


def _nothing(room: Room) -> str:
    return "absent"


def _empty(room: Room) -> str:
    (room.path / "empty").mkdir()
    return "empty"


def _file(room: Room) -> str:
    room.write("file", "x")
    return "file"


def _manifest_is_a_folder(room: Room) -> str:
    (room.path / "odd" / "edgevit.json").mkdir(parents=True)
    return "odd"


def _empty_manifest(room: Room) -> str:
    room.write("odd/edgevit.json", "")
    return "odd"


FOLDERS = {
    "no folder": _nothing,
    "an empty folder": _empty,
    "a file for a folder": _file,
    "a manifest that is a folder": _manifest_is_a_folder,
    "an empty manifest": _empty_manifest,
}
CASES = tuple(
    Case(f"{command}: {name}", lambda room, c=command, f=write: [c, f(room)])
    for command in COMMANDS
    for name, write in FOLDERS.items()
)
