"""Artifacts from strangers: files that are none, headers that lie, and parts that lead out of the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from edgevit.exported.manifest_file import manifest_bytes
from edgevit.exported.staging import listed_files
from tests.hostile.case import Case, Room

SUFFIXES = ("onnx", "tflite", "pte")
FORMATS = {"onnx": "onnx", "tflite": "tflite", "pte": "executorch"}
CONTENT: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "text": lambda _: b"hello\n",
    "zeros": lambda _: bytes(4096),
    "its first half": lambda data: data[: len(data) // 2],
}


def artifact(suffix: str, change: Callable[[bytes], bytes]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        whole = next(room.exports.folder(FORMATS[suffix]).glob(f"*.{suffix}")).read_bytes()
        room.write(f"m.{suffix}", change(whole))
        return ["profile", f"m.{suffix}", "--no-store"]

    return make


def pipe(suffix: str) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        os.mkfifo(room.path / f"m.{suffix}")
        return ["profile", f"m.{suffix}", "--no-store"]

    return make


def field(number: int, content: bytes) -> bytes:
    """A protobuf field of bytes."""
    size, rest = len(content), b""
    while size > 127:
        rest += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + rest + bytes([size]) + content


def external_weights(location: str) -> bytes:
    """An ONNX model, output = weight, whose weight lies in another file."""
    entry = field(1, b"location") + field(2, location.encode())
    tensor = b"\x08\x04\x10\x01" + field(8, b"w") + field(13, entry) + b"\x70\x01"
    shape = field(2, field(1, b"\x08\x04"))
    value = field(1, b"y") + field(2, field(1, b"\x08\x01" + shape))
    node = field(1, b"w") + field(2, b"y") + field(4, b"Identity")
    graph = field(1, node) + field(2, b"g") + field(5, tensor) + field(12, value)
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def external(location: str) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.path.with_name("secret.bin").write_bytes(bytes(16))
        room.write("m.onnx", external_weights(location.format(room.path.parent)))
        return ["profile", "m.onnx", "--no-store"]

    return make


def in_folder(command: str, format: str, name: str, content: bytes) -> Callable[[Room], list[str]]:
    """One file of an exported folder changed, and the manifest renewed: who writes a folder can do both."""

    def make(room: Room) -> list[str]:
        folder = room.exported(format)
        place = next(folder.glob(name))
        place.write_bytes(content)
        renew(folder)
        return [command, str(folder)]

    return make


def renew(folder: Path) -> None:
    manifest = json.loads((folder / "edgevit.json").read_text())
    (folder / "edgevit.json").write_bytes(
        manifest_bytes({**manifest, "files": listed_files(folder)}, sealed=False)
    )


GRAPH = "model.integer.safetensors"


def safetensors(about: object) -> bytes:
    said = about if isinstance(about, str) else json.dumps(about)
    text = json.dumps({"__metadata__": {"graph": said}}).encode()
    return len(text).to_bytes(8, "little") + text


GRAPHS: dict[str, object] = {
    "no graph": {},
    "a number": 7,
    "deep JSON": "[" * 5000,
    "NaN": '{"schema": NaN}',
    "another schema": {"schema": 99},
    "ops of no kind": {"schema": 1, "name": "g", "inputs": [], "constants": [], "ops": [{"kind": "x"}], "outputs": [], "more": {}},
    "outputs of no op": {"schema": 1, "name": "g", "inputs": [], "constants": [], "ops": [], "outputs": ["y"], "more": {}},
    "a list for a name": {"schema": 1, "name": "g", "inputs": [[]], "constants": [], "ops": [], "outputs": [], "more": {}},
}  # fmt: skip
PROGRAM = "*.mlpackage/Data/com.apple.CoreML/model.mlmodel"
CORE_ML = {
    "an empty program": (PROGRAM, b""),
    "weights of nothing": ("*.mlpackage/Data/com.apple.CoreML/weights/weight.bin", b""),
    "a manifest of an absolute path": (
        "*.mlpackage/Manifest.json",
        b'{"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": "/etc/passwd"}}}',
    ),
    "a manifest of a path up": (
        "*.mlpackage/Manifest.json",
        b'{"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": "../../golden.safetensors"}}}',
    ),
}
CASES = (
    *(
        Case(f"artifact: {suffix} of {name}", artifact(suffix, change), f"m.{suffix}")
        for suffix in SUFFIXES
        for name, change in CONTENT.items()
    ),
    *(Case(f"artifact: a pipe called .{suffix}", pipe(suffix)) for suffix in SUFFIXES),
    *(
        Case(f"artifact: ONNX with weights in {place}", external(place), "m.onnx")
        for place in ("{}/secret.bin", "../secret.bin", "/dev/zero", "a/../../secret.bin", "missing")
    ),
    *(
        Case(f"firmware: a graph of {name}", in_folder("simulate", "mcu", GRAPH, safetensors(about)), "graph")
        for name, about in GRAPHS.items()
    ),
    *(Case(f"package: {name}", in_folder("verify", "coreml", *what), "", 12) for name, what in CORE_ML.items()),
)  # fmt: skip
