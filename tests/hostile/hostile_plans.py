"""Plans that a stranger wrote: they choose what `tune` may choose, and run nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.hostile.case import NET, Case, Room

PLAN = """\
schema = 1
model = "net.py:build"
target = "linux-x86"
verdict = "the default"

[artifact_choices]
format = "onnx"
precision = "fp32"
lossy = []
threads = 0

[chosen]

[made_with]
graph = ""
convert_threads = 1

[made_with.options]

[made_with.firmware]
"""


def _pickle(command: str) -> bytes:
    word = command.encode()
    return (
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93X"
        + len(word).to_bytes(4, "little")
        + word
        + b"\x85R."
    )


def _words(room: Room, text: str | bytes) -> Sequence[str]:
    room.write("net.py", NET)
    room.write("plan.toml", text)
    return ["export", "net.py:build", "--target", "linux-x86", "--plan", "plan.toml", "-o", "o"]


def _plan(line: str, table: str = "", old: str = "") -> str:
    """The plan with a line more in a table, or with one in the place of another."""
    if old:
        assert old in PLAN, old
        return PLAN.replace(old, line, 1)
    head = f"[{table}]\n"
    if head not in PLAN:
        return PLAN + f"\n{head}{line}\n"
    return PLAN.replace(head, f"{head}{line}\n", 1)


def _case(name: str, text: str | bytes, says: str = "", code: int | None = 12) -> Case:
    return Case(f"plan: {name}", lambda room: _words(room, text), says, code)


def _trust() -> Iterator[Case]:
    """The pickle of the review, and each other way to name one."""

    def make(options: str, *more: str) -> object:
        def write(room: Room) -> Sequence[str]:
            room.write("evil.pth", _pickle(f"touch {room.canary}"))
            return [*_words(room, _plan(options, "made_with.options")), *more]

        return write

    weights = 'weights = "evil.pth"'
    for name, options, more, says in (
        ("switches trust on for a pickle", f"trust = true\n{weights}", (), "trust"),
        ("names a pickle, and the user trusts", weights, ("--trust",), "weights"),
        ("trust alone", "trust = true", (), "trust"),
        ("trust is false", "trust = false", (), "trust"),
        ("weights that are an option", 'weights = "--trust.safetensors"', (), "weights"),
        ("weights with a line end", 'weights = "a\\n.safetensors"', (), "weights"),
    ):
        yield Case(f"plan: {name}", make(options, *more), says, 12)  # type: ignore[arg-type]


WRONG = {
    "text": '"x"', "a number": "7.5", "true": "true", "a list": '[["x"]]', "a table": "{ x = 1 }",
    "10^22": "10000000000000000000000", "inf": "inf", "nan": "nan", "a date": "1979-05-27",
}  # fmt: skip
# (table, key, old line, what is right there besides)
LINES = (
    ("", "schema", "schema = 1", ()),
    ("", "model", 'model = "net.py:build"', ("text",)),
    ("", "target", 'target = "linux-x86"', ("text",)),
    ("", "verdict", 'verdict = "the default"', ("text",)),
    ("", "format", 'format = "onnx"', ()),
    ("", "precision", 'precision = "fp32"', ()),
    ("", "lossy", "lossy = []", ()),
    ("", "threads", "threads = 0", ()),
    ("", "graph", 'graph = ""', ()),
    ("", "convert_threads", "convert_threads = 1", ()),
    ("made_with.options", "input_size", "", ()),
    ("made_with.options", "batch", "", ()),
    ("made_with.options", "seed", "", ()),
    ("made_with.options", "mean", "", ()),
    ("made_with.options", "labels", "", ()),
    ("made_with.options", "image_input", "", ("true",)),
    ("made_with.firmware", "observer", "", ()),
    ("made_with.firmware", "max_ram", "", ()),
    ("made_with.firmware", "weights_as", "", ()),
    ("chosen", "attention", "", ("text",)),
    ("artifact", "bytes", "", ()),
)


def _types() -> Iterator[Case]:
    """Every key, every wrong kind of value."""
    for table, key, old, right in LINES:
        for kind, value in WRONG.items():
            if kind not in right:
                text = _plan(f"{key} = {value}", table, old)
                yield _case(f"{key} is {kind}", text)


def _ranges() -> Iterator[Case]:
    for key, value, old, table in (
        ("convert_threads", "100000", "convert_threads = 1", ""),
        ("convert_threads", "0", "convert_threads = 1", ""),
        ("convert_threads", "-1", "convert_threads = 1", ""),
        ("threads", "-1", "threads = 0", ""),
        ("threads", "1000000", "threads = 0", ""),
        ("batch", "0", "", "made_with.options"),
        ("batch", "9223372036854775807", "", "made_with.options"),
        ("input_size", "-4", "", "made_with.options"),
        ("input_size", "[1, 2, 3]", "", "made_with.options"),
        ("seed", "-1", "", "made_with.options"),
        ("mean", "[]", "", "made_with.options"),
        ("mean", "[nan]", "", "made_with.options"),
        ("max_ram", "0", "", "made_with.firmware"),
        ("tile", "-1", "", "made_with.firmware"),
        ("observer", '"mean"', "", "made_with.firmware"),
        ("weights_as", '"binary@$(id)"', "", "made_with.firmware"),
        ("calibrate", '"a\\u0000b"', "", "made_with.firmware"),
        ("calibrate", '"\\u001b[2J"', "", "made_with.firmware"),
        ("sha256", '"../x"', "", "artifact"),
        ("format", '"__main__"', 'format = "onnx"', ""),
        ("precision", '"int4"', 'precision = "fp32"', ""),
        ("schema", "2", "schema = 1", ""),
    ):
        yield _case(f"{key} = {value[:24]}", _plan(f"{key} = {value}", table, old))
    for table in ("made_with.options", "made_with.firmware", "made_with", "artifact_choices"):
        text = _plan("__class__ = 1", table)
        yield _case(f"{table} has a key of its own", text, "__class__")
    yield _case("a table of its own", PLAN + "\n[hooks]\nbefore = 'touch x'\n", "hooks")
    yield _case("a choice that nobody declared", _plan('sudo = "on"', "chosen"), "sudo", 2)
    yield _case("a lossy step that is none", _plan('lossy = ["x=1"]', old="lossy = []"), "x", 2)


def _texts() -> Iterator[Case]:
    deep = "x = " + "[" * 100_000 + "]" * 100_000
    yield _case("a list 100,000 deep", deep, "deep")
    yield _case("a table 5,000 deep", PLAN + "[" + ".".join("a" * 5000) + "]\n", "deep")
    yield _case("dotted keys 5,000 deep", ".".join("a" * 5000) + " = 1\n", "deep")
    yield _case("inline tables 5,000 deep", "a = " + "{a=" * 5000 + "1" + "}" * 5000, "deep")
    yield _case("5,000 digits", f"schema = {'9' * 5000}", "digits")
    yield _case("not UTF-8", b"\xff\xfe" + PLAN.encode(), "UTF-8")
    yield _case("empty", "")
    yield _case("a zip", b"PK\x03\x04" + bytes(range(128)) * 4)
    yield _case("2 MB", "#" * (2 << 20), "bytes")
    yield _case("NUL", PLAN + "\0")
    yield _case("a key twice", PLAN + "\n[chosen]\n")
    yield _case("no table", "schema = 1\nartifact_choices = 1\nmade_with = 2\n")
    yield _case("a key that clears the terminal", _plan('"\\u001b[2J" = 1', "made_with"))
    yield Case("plan: a folder", _folder, "", 12)
    yield Case("plan: a pipe nobody writes to", _pipe, "regular file", 12)
    yield Case("plan: not there", _nowhere, "no such plan", 12)


def _folder(room: Room) -> Sequence[str]:
    words = _words(room, "")
    (room.path / "plan.toml").unlink()
    (room.path / "plan.toml").mkdir()
    return words


def _pipe(room: Room) -> Sequence[str]:
    import os

    words = _words(room, "")
    (room.path / "plan.toml").unlink()
    os.mkfifo(room.path / "plan.toml")
    return words


def _nowhere(room: Room) -> Sequence[str]:
    words = _words(room, "")
    (room.path / "plan.toml").unlink()
    return words


CASES: tuple[Case, ...] = (*_trust(), *_types(), *_ranges(), *_texts())
