"""Manifests of exported folders that somebody else wrote: each key with each wrong type, names that are options or lead
out, JSON that parsers differ about, files that are none, and lists that leave something out.

Their digests are right: whoever writes a manifest can compute one.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from edgevit.exported.staging import listed_files
from tests.hostile.case import Case, Room

Manifest = dict[str, Any]
Change = Callable[[Manifest], None]
GOLDEN = "golden.safetensors"

NEEDED = (
    "schema", "model", "chosen", "target", "format", "precision", "artifact", "files", "versions", "graph", "rewrites",
    "lossy", "from_original", "delegation", "placement", "parity", "passed", "stages", "notes", "command", "ports", "ops",
)  # fmt: skip
WRONG: dict[str, Any] = {
    "a number": 7,
    "a text": "x",
    "a list": [[]],
    "a table": {"a": {"b": []}},
    "true": True,
    "null": None,
}
# The right types, and what is no wrong value of a key.
RIGHT = {
    "schema": (), "model": (), "chosen": (), "target": ("a text",), "format": (), "precision": (), "artifact": ("a text",),
    "files": (), "versions": (), "graph": (), "rewrites": (), "lossy": (), "from_original": ("null",),
    "delegation": ("null",), "placement": ("null",), "parity": (), "passed": ("true",), "stages": (), "notes": (),
    "command": ("a text",), "ports": (), "ops": ("a table",),
}  # fmt: skip
PATHS = {
    "an option": "-oProxyCommand=touch CANARY;.onnx",
    "an option below a folder": "a/--output=CANARY",
    "up": "../../etc/passwd",
    "up in the middle": "a/../../b",
    "absolute": "/etc/passwd",
    "a dot": ".",
    "empty": "",
    "a slash at the end": "a/",
    "two slashes": "a//b",
    "a backslash": "..\\..\\b",
    "a line end": "a\nb",
    "an escape": "\x1b]0;title\x07.onnx",
    "NUL": "a\0b",
    "half a surrogate pair": "\ud800.onnx",
    "a long name": "a" * 300,
    "a C1 control": "a\x9bb",
}
NUMBERS: dict[str, Any] = {
    "10^400": 10**400,
    "2^64": 2**64,
    "-1": -1,
    "1e999": "1e999",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "5000 digits": "9" * 5000,
    "a half": 0.5,
    "a flag": True,
    "a text": "3",
}
RAW = {
    "deep lists": lambda text: "[" * 100_000 + "]" * 100_000,
    "deep tables": lambda text: '{"a":' * 50_000 + "1" + "}" * 50_000,
    "deep within": lambda text: text.replace('"chosen": {}', '"chosen": {"a": ' + "[" * 500 + "]" * 500 + "}"),
    "a key twice": lambda text: text.replace('"schema": 2', '"schema": 1,\n  "schema": 2'),
    "a byte order mark": lambda text: "\ufeff" + text,
    "two documents": lambda text: text + text,
    "a comma too many": lambda text: text.replace('"chosen": {},', '"chosen": {},,'),

    "a page of NUL": lambda text: "\0" * 5000,
    "half of it": lambda text: text[: len(text) // 2],
    "a list of manifests": lambda text: f"[{text}]",
    "another program's": lambda text: '{"name": "x", "version": "1"}',
    "the schema before": lambda text: text.replace('"schema": 2', '"schema": 1'),
    "a schema to come": lambda text: text.replace('"schema": 2', '"schema": 3'),
}  # fmt: skip


def written(manifest: Manifest, text: Callable[[str], str] = str) -> bytes:
    """As `edgevit.exported.manifest_file` has it, without a seal. `text` changes the JSON before the digest is made."""
    plain = {key: value for key, value in manifest.items() if key not in {"seal", "digest"}}
    body = text(json.dumps(plain, indent=2)).removesuffix("\n}")
    said = f'{body},\n  "seal": null'.encode(errors="surrogatepass")
    return said + f',\n  "digest": "{hashlib.sha256(said).hexdigest()}"\n}}\n'.encode()


def changed(room: Room, change: Change, text: Callable[[str], str] = str) -> str:
    folder = room.exported("onnx")
    path = folder / "edgevit.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = listed_files(folder)
    change(manifest)
    path.write_bytes(written(manifest, text))
    return "onnx"


def at(place: str, value: Any) -> Change:
    """`files.0.path` becomes `value`; a value that is a class is no value: the key goes."""

    def change(manifest: Manifest) -> None:
        *way, last = place.split(".")
        inner: Any = manifest
        for step in way:
            inner = inner[int(step) if step.isdigit() else step]
        if value is Ellipsis:
            del inner[last]
        else:
            inner[int(last) if last.isdigit() else last] = copy.deepcopy(value)

    return change


def case(name: str, command: str, place: str, value: Any, says: str = "") -> Case:
    return Case(name, lambda room: [command, changed(room, at(place, value))], says)


def keys_of_wrong_types() -> Iterator[Case]:
    commands = ("verify", "report", "profile")
    for number, key in enumerate(NEEDED):
        yield case(f"manifest: no {key}", commands[number % 3], key, ..., key)
        for kind, value in WRONG.items():
            if kind not in RIGHT[key]:
                yield case(f"manifest: {key} is {kind}", commands[number % 3], key, value, key)


def inner_values() -> Iterator[Case]:
    """Below the first level, what a reader computes with or prints."""
    places = {
        "model.name": 7, "model.spec": None, "model.inputs": [], "model.inputs.0.shape": [-1], "model.labels": "many",
        "model.options": [], "model.preprocess": {"std": [0.0]}, "graph.before": {}, "graph.before.ops": "many",
        "graph.after.color": 1, "rewrites.0.fired": None, "rewrites.0.refused": [1], "parity.0.cosine": 3.5,
        "parity.0.passed": False, "parity.0.notes": "none", "parity": [], "passed": False,
        "files.0.sha256": "0" * 63, "files.0.bytes": "12", "versions.edgevit": 1, "ports.inputs": None,
        "stages.lower": 3, "notes.0": "x", "delegation.outside": [{}], "ops.before": {"add": -1},
    }  # fmt: skip
    for place, value in places.items():
        if place == "notes.0":
            place, value = "notes", [1]
        yield case(f"manifest: {place} is {json.dumps(value)[:20]}", "verify", place, value)


def names() -> Iterator[Case]:
    for kind, path in PATHS.items():
        yield case(f"manifest: the artifact is {kind}", "profile", "artifact", path)
        yield case(f"manifest: a listed path is {kind}", "verify", "files.0.path", path)
    for kind in ("an option", "a line end", "NUL", "half a surrogate pair"):
        yield case(f"manifest: the target is {kind}", "check", "target", PATHS[kind])


def numbers() -> Iterator[Case]:
    for kind, value in NUMBERS.items():
        raw = isinstance(value, str) and kind != "a text"

        def make(room: Room, value: Any = value, raw: bool = raw) -> list[str]:
            mark = 123456789123 if raw else value
            swap = (lambda text: text.replace(str(mark), value)) if raw else str
            return ["verify", changed(room, at("graph.before.macs", mark), swap)]

        yield Case(f"manifest: a count is {kind}", make)


def raw_texts() -> Iterator[Case]:
    for kind, text in RAW.items():
        for digested in (True, False):

            def make(room: Room, text: Any = text, digested: bool = digested) -> list[str]:
                path = room.exported("onnx") / "edgevit.json"
                if digested:
                    path.write_bytes(written(json.loads(path.read_text()), text))
                else:
                    path.write_text(text(path.read_text()))
                return ["verify", "onnx"]

            yield Case(f"manifest: {kind}{'' if digested else ', without a digest'}", make)

    def not_utf8(room: Room) -> list[str]:
        path = room.exported("onnx") / "edgevit.json"
        path.write_bytes(b"\xff\xfe" + path.read_bytes())
        return ["verify", "onnx"]

    yield Case("manifest: not UTF-8", not_utf8, "UTF-8")


def files_that_are_none() -> Iterator[Case]:
    def replaced(room: Room, name: str, by: Callable[[Path], None]) -> list[str]:
        path = room.exported("onnx") / name
        path.unlink()
        by(path)
        return ["verify", "onnx"]

    kinds: dict[str, Callable[[Path], None]] = {
        "a pipe": os.mkfifo,
        "a folder": Path.mkdir,
        "a link out": lambda path: path.symlink_to("/etc/passwd"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a link to a device": lambda path: path.symlink_to("/dev/zero"),
        "gone": lambda path: None,
    }
    for name in ("edgevit.json", GOLDEN, "summary.txt"):
        for kind, by in kinds.items():
            yield Case(f"folder: {name} is {kind}", partial(replaced, name=name, by=by))

    def linked(room: Room) -> list[str]:
        """The right bytes, in a folder that is elsewhere."""
        folder = room.exported("onnx")
        (folder / "call").rename(room.path / "elsewhere")
        (folder / "call").symlink_to(room.path / "elsewhere")
        return ["verify", "onnx"]

    yield Case("folder: a folder of it is a link out", linked, says="link")


def listings() -> Iterator[Case]:
    def unlisted(manifest: Manifest, name: str) -> None:
        manifest["files"] = [f for f in manifest["files"] if not f["path"].endswith(name)]

    for name in (GOLDEN, ".onnx"):
        change = partial(unlisted, name=name)
        yield Case(
            f"manifest: {name} is not listed",
            lambda room, c=change: ["verify", changed(room, c)],
            name,
        )
    yield case("manifest: nothing is listed", "verify", "files", [], "files")

    def twice(manifest: Manifest) -> None:
        manifest["files"].append({**manifest["files"][0]})

    yield Case(
        "manifest: a path is listed twice", lambda room: ["verify", changed(room, twice)], "twice"
    )

    def extra_data(room: Room) -> list[str]:
        folder = room.exported("onnx")
        artifact = next(folder.glob("*.onnx"))
        (folder / f"{artifact.name}.data").write_bytes(b"weights of another net")
        return ["verify", "onnx"]

    yield Case("folder: data beside the artifact that is not listed", extra_data, "not listed")

    def extra_header(room: Room) -> list[str]:
        folder = room.exported("mcu")
        (folder / "firmware" / "include" / "stdint.h").write_text('#include "/etc/passwd"\n')
        return ["verify", "mcu"]

    yield Case("folder: a header that is not listed", extra_header, "stdint.h is not listed")


def other_facts() -> Iterator[Case]:
    """Changed, and the digest made again: what cannot be told from the bytes shows when it is used."""
    for format in ("tvm", "mcu", "tflite", "coreml"):
        yield case(f"manifest: the format is {format}", "verify", "format", format)
    for precision in ("int8", "fp16", "fp64"):
        yield case(f"manifest: the precision is {precision}", "verify", "precision", precision)


def goldens() -> Iterator[Case]:
    def edited(
        room: Room, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    ) -> list[str]:
        folder = room.exported("onnx")
        save_file(change(load_file(folder / GOLDEN)), folder / GOLDEN)
        manifest = json.loads((folder / "edgevit.json").read_text())
        manifest["files"] = listed_files(folder)
        (folder / "edgevit.json").write_bytes(written(manifest))
        return ["verify", "onnx"]

    def all_of(value: float, kinds: str = "output") -> Any:
        return lambda t: {
            n: np.full_like(x, value) if n.startswith(kinds) else x for n, x in t.items()
        }

    def one_nan(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors["output.0"].flat[0] = np.nan
        return tensors

    changes = {
        "outputs are NaN": all_of(np.nan),
        "outputs are infinite": all_of(np.inf),
        "everything is NaN": all_of(np.nan, ""),
        "inputs are NaN": all_of(np.nan, "input"),
        "one output is NaN": one_nan,
        "no outputs": lambda t: {n: x for n, x in t.items() if n.startswith("input")},
        "no inputs": lambda t: {n: x for n, x in t.items() if n.startswith("output")},
        "nothing": lambda t: {},
        "a number left out": lambda t: {n.replace("output.0", "output.1"): x for n, x in t.items()},
        "outputs of no rows": lambda t: {**t, "output.0": np.zeros((0, 5), np.float32)},
        "inputs of another size": lambda t: {**t, "input.0": np.zeros((1, 3, 4, 4), np.float32)},
    }
    for kind, change in changes.items():
        yield Case(f"golden: {kind}", partial(edited, change=change))
    swapped = partial(edited, change=lambda t: {**t, "output.0": t["output.0"] + 1})
    yield Case("golden: other outputs", swapped, code=9, says="NOT the same", passes=True)

    def damaged(room: Room) -> list[str]:
        folder = room.exported("onnx")
        (folder / GOLDEN).write_bytes(b"\xff" * 8 + b"{}")
        manifest = json.loads((folder / "edgevit.json").read_text())
        manifest["files"] = listed_files(folder)
        (folder / "edgevit.json").write_bytes(written(manifest))
        return ["verify", "onnx"]

    yield Case("golden: a header of 2^64 bytes", damaged)


def code_of_strangers() -> Iterator[Case]:
    """The folder is sound in itself, and not sealed by this user."""

    def unsealed(room: Room, words: list[str], format: str) -> list[str]:
        folder = room.exported(format)
        manifest = json.loads((folder / "edgevit.json").read_text())
        if format == "mcu":
            source = folder / "firmware" / "kernels" / "evil.c"
            source.write_text("int evil;\n")
            manifest["files"] = listed_files(folder)
        (folder / "edgevit.json").write_bytes(written(manifest))
        return [words[0], format, *words[1:]]

    commands = {
        "tvm": (["verify"], ["profile"], ["report", "--profile"], ["check", "--here", "--max-latency", "1s"]),
        "mcu": (["verify"], ["run"], ["profile", "--on", "emulator"], ["check", "--max-ram", "1M"]),
        "onnx": (["profile", "--eager"],),
    }  # fmt: skip
    for format, lines in commands.items():
        for words in lines:
            make = partial(unsealed, words=words, format=format)
            yield Case(
                f"folder: {format} of a stranger: {' '.join(words)}", make, "--trust", code=12
            )

    def bare(room: Room) -> list[str]:
        room.write("net.so", b"\x7fELF" + bytes(60))
        return ["profile", "net.so"]

    yield Case("folder: a library without its folder", bare, "--trust", code=12)


def odd_and_good() -> Iterator[Case]:
    def with_notes(room: Room) -> list[str]:
        (room.exported("onnx") / "notes.txt").write_text("mine")
        return ["verify", "onnx"]

    yield Case(
        "folder: a file of the user's own beside it", with_notes, "notes.txt", code=0, passes=True
    )
    add = at("colour", {"deep": [1, "x"]})
    yield Case(
        "manifest: a key of a later version",
        lambda room: ["verify", changed(room, add)],
        code=0,
        passes=True,
    )


CASES = tuple(
    one
    for group in (
        keys_of_wrong_types, inner_values, names, numbers, raw_texts, files_that_are_none, listings, other_facts,
        goldens, code_of_strangers, odd_and_good,
    )
    for one in group()
)  # fmt: skip
