"""Board files that a stranger wrote: their text reaches build files, C, Markdown and a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from tests.hostile.case import NET, Case, Room

BOARD = """\
name = "board"
title = "A board"
aliases = ["my-board"]
formats = ["mcu"]
precisions = ["int8"]
soc = "A chip"

[[cpu]]
name = "Cortex-M4"
cores = 1
isa = "armv7e-m+dsp+fp"
clock_hz = 100_000_000

[npu]
name = "An engine"
cores = 2
tops = 1

[[region]]
name = "FLASH"
kind = "flash"
base = 0x0000_0000
size = "4 MiB"

[[region]]
name = "RAM"
kind = "sram"
base = 0x2000_0000
size = "4 MiB"

[emulator]
program = "qemu-system-arm"
machine = "mps2-an386"
cpu = "cortex-m4"

[source]
soc = "a document"
cpu = "a document"
npu = "a document"
region = "a document"
emulator = "a document"
"""
WRONG = {
    "text": '"x y"', "a number": "7.5", "a negative": "-3", "true": "true", "a list": '[["x"]]', "a table": "{ x = 1 }",
    "10^22": "10000000000000000000000", "inf": "inf", "nan": "nan", "empty": '""', "a date": "1979-05-27",
}  # fmt: skip
# line of the board -> kinds that are right there
LINES = {
    'name = "board"': (),
    'title = "A board"': ("text",),
    'aliases = ["my-board"]': (),
    'formats = ["mcu"]': (),
    'precisions = ["int8"]': (),
    'soc = "A chip"': ("text",),
    "cores = 1": (),
    'isa = "armv7e-m+dsp+fp"': (),
    "clock_hz = 100_000_000": (),
    "tops = 1": ("a number",),
    "base = 0x2000_0000": (),
    'size = "4 MiB"': (),
    'kind = "sram"': (),
    'program = "qemu-system-arm"': (),
    'machine = "mps2-an386"': (),
    'name = "FLASH"': (),
}
# What would mean something in a file that is written: told, and nothing is exported.
TEXTS = {
    "a line end and a command of make": r"x\n$(shell touch {canary})\n",
    "a command of make": "$(shell touch {canary})",
    "a command of a shell": "`touch {canary}`",
    "the end of a comment": "*/ int x; /*",
    "a backslash at its end": r"x\\",
    "a quote": r"x\"y",
    "a tag": "<img src=x>",
    "an escape of a terminal": r"\u001b[2J",
    "C1": r"\u009b2J",
    "bidi": r"x\u202ey",
    "a null": r"x\u0000y",
    "a mark of a template": "@RUN@",
    "4,000 letters": "x" * 4000,
    "a half pair": r"x\ud800y",
    "a cell": "a | b",
}
PLACES = {
    "title": 'title = "A board"',
    "soc": 'soc = "A chip"',
    "cpu": 'name = "Cortex-M4"',
    "npu": 'name = "An engine"',
    "region": 'name = "FLASH"',
    "machine": 'machine = "mps2-an386"',
    "cpu of the emulator": 'cpu = "cortex-m4"',
    "program": 'program = "qemu-system-arm"',
    "alias": 'aliases = ["my-board"]',
    "name": 'name = "board"',
    "source": 'soc = "a document"',
}


def _words(room: Room, text: str | bytes) -> Sequence[str]:
    room.write("board.toml", text)
    return ["targets", "./board.toml"]


def _case(name: str, text: str | bytes, says: str = "") -> Case:
    return Case(f"target: {name}", lambda room: _words(room, text), says, 7)


def _types() -> Iterator[Case]:
    for line, right in LINES.items():
        key = line.partition(" =")[0]
        for kind, value in WRONG.items():
            if kind not in right:
                where = line.partition('"')[2].rstrip('"') if key == "name" else ""
                text = BOARD.replace(line, f"{key} = {value}", 1)
                yield _case(f"{key} {where} is {kind}", text)


def _texts() -> Iterator[Case]:
    for place, line in PLACES.items():
        key, _, value = line.partition(" = ")
        for what, text in TEXTS.items():

            def make(
                room: Room, key: str = key, value: str = value, text: str = text
            ) -> Sequence[str]:
                hostile = text.replace("{canary}", str(room.canary))
                opens, closes = value.partition('"')[0] + '"', value.rpartition('"')[2]
                line, new = f"{key} = {value}", f'{key} = {opens}{hostile}"{closes}'
                room.write("net.py", NET)
                room.write("board.toml", BOARD.replace(line, new, 1))
                export = ["export", "net.py:build", "-o", "o", "--quiet", "--target"]
                return [*(export if key == "title" else ["targets"]), "./board.toml"]

            yield Case(f"target: {place} with {what}", make, "", 7)


def _others() -> Iterator[Case]:
    yield _case("a program of its own", BOARD.replace("qemu-system-arm", "rm"), "program")
    yield _case("a program with a path", BOARD.replace("qemu-system-arm", "./evil"), "program")
    yield _case("unknown keys", BOARD + "\n[hooks]\nx = 1\n", "hooks")
    yield _case("a key with escapes", BOARD.replace("soc = ", '"\\u001b[2J" = ', 1))
    yield _case("a key of 100,000 letters", f"{'k' * 100_000} = 1\n{BOARD}")
    yield _case("100,000 aliases", BOARD.replace('["my-board"]', str([f"a{k}" for k in range(50_000)])))  # fmt: skip
    yield _case("100 regions", BOARD + '\n[[region]]\nname = "R"\nkind = "sram"\n' * 100)
    yield _case("a table for a list that is inherited", 'name = "b"\ntitle = "B"\nextends = "stm32f746"\n[cpu]\nname = "x"\n[source]\ncpu = "x"\n')  # fmt: skip
    yield _case("a list for a table that is inherited", 'name = "b"\ntitle = "B"\nextends = "iphone-15"\nos = [1]\n[source]\nos = "x"\n')  # fmt: skip
    yield _case("extends a path", BOARD + 'extends = "../x"\n')
    yield _case("extends a file", 'extends = "../../etc/passwd"\n' + BOARD, "extends")
    yield _case("extends itself", 'extends = "board"\n' + BOARD, "itself")
    yield _case("a base", "base = true\n" + BOARD, "base")
    yield _case("a version with letters of another script", BOARD.replace("[emulator]", '[os]\nname = "iOS"\nminimum = "١٧"\n\n[emulator]'))  # fmt: skip
    yield _case("a list 100,000 deep", "x = " + "[" * 100_000, "deep")
    yield _case("dotted keys 5,000 deep", ".".join("a" * 5000) + " = 1\n", "deep")
    yield _case("5,000 digits", f"clock = {'9' * 5000}\n", "digits")
    yield _case("not UTF-8", b"\xff\xfe", "UTF-8")
    yield _case("a zip", b"PK\x03\x04" + bytes(range(120)) * 3)
    yield _case("empty", "", "missing")
    yield _case("2 MB", "#" * (2 << 20), "bytes")
    yield Case("target: a folder", lambda room: _made(room, "folder"), "", 7)
    yield Case("target: a pipe nobody writes to", lambda room: _made(room, "pipe"), "", 7)
    yield Case("target: a device that never ends", lambda room: ["targets", "/dev/zero"], "", 7)
    yield Case("target: a link to itself", lambda room: _made(room, "loop"), "", 7)
    for word, name in (
        ("./x\0.toml", "NUL in its path"),
        ("~nobody-of-this-name/x.toml", "the home of nobody"),
        ("./" + "x" * 5000 + ".toml", "a name of 5,000 letters"),
        ("x" * 100_000, "100,000 letters"),
        ("\x1b[2J", "a name with escapes"),
        ("\udcff\udcfe.toml", "a name that is not UTF-8"),
        ("../../../../etc/passwd", "another kind of file"),
    ):
        yield Case(f"target: {name}", lambda room, word=word: ["targets", word], "", (2, 7))


def _made(room: Room, kind: str) -> Sequence[str]:
    path = room.path / "board.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path)
    return ["targets", "./board.toml"]


CASES: tuple[Case, ...] = (*_types(), *_texts(), *_others())
