"""`.pt2` files of strangers: damaged, of another shape, or made to crash what loads them."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.case import Case, Room

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
EXAMPLE = "data/sample_inputs/model.pt"
Members = dict[str, bytes]


@functools.cache
def good() -> bytes:
    import torch

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
    program = torch.export.export(net, (torch.zeros(1, 3, 8, 8),))
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def rewritten(change: Callable[[Members], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(good())) as archive:
        root = archive.namelist()[0].split("/")[0]
        members = {name.removeprefix(root + "/"): archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name if name.startswith(("..", "/")) else f"{root}/{name}", data)
    return buffer.getvalue()


def case(name: str, content: Callable[[Room], bytes], says: str = "") -> Case:
    def make(room: Room) -> list[str]:
        room.write("net.pt2", content(room))
        return ["inspect", "net.pt2", "--quiet"]

    return Case(f"pt2: {name}", make, says)


def member(name: str, data: bytes) -> Callable[[Room], bytes]:
    return lambda _room: rewritten(lambda members: members.update({name: data}))


def in_json(name: str, change: Callable[[Any], Any]) -> Callable[[Room], bytes]:
    def edit(members: Members) -> None:
        values = json.loads(members[name])
        members[name] = json.dumps(change(values) or values).encode()

    return lambda _room: rewritten(edit)


class Touch:
    def __init__(self, room: Room) -> None:
        self.path = str(room.canary)

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.path}'",)


def pickled(name: str) -> Callable[[Room], bytes]:
    return lambda room: rewritten(lambda members: members.update({name: pickle.dumps(Touch(room))}))


def nodes(program: dict[str, Any]) -> list[dict[str, Any]]:
    return program["graph_module"]["graph"]["nodes"]


def target(value: Any) -> Callable[[Room], bytes]:
    return in_json(PROGRAM, lambda program: nodes(program)[0].update(target=value))


def cut(share: float) -> Callable[[Room], bytes]:
    return lambda _room: good()[: int(len(good()) * share)]


def without(name: str) -> Callable[[Room], bytes]:
    return lambda _room: rewritten(lambda members: members.pop(name, None))


ODD_JSON = {
    "nothing": b"",
    "no JSON": b"{",
    "a number": b"1",
    "a list": b"[]",
    "an empty table": b"{}",
    "null": b"null",
    "NaN": b"NaN",
    "deep lists": b"[" * 100_000,
    "deep tables": b'{"a":' * 100_000,
    "half a character": b'{"a": "\\ud800"}',
    "no text": b"\xff\xfe",
    "a number of 5,000 digits": b"9" * 5000,
}
TARGETS = {
    "a function of Python": "builtins.eval",
    "a function of a module": "os.system",
    "an attribute of torch": "torch.load",
    "hidden behind dots": "torch.ops.aten.relu.default.__class__",
    "no operator": "torch.ops.aten.nothing.default",
    "an operator that loads": "torch.ops.load_library",
    "a number": 1,
    "nothing": "",
    "half a character": "torch.ops.aten.\ud800",
    "a call": "__import__('os').system('touch ../room.canary')",
}
SIZES = {"negative": -1, "beyond the data": 10**6, "10^18": 10**18, "10^22": 10**22, "text": "a", "nothing": None}  # fmt: skip


def first_meta(config: dict[str, Any]) -> dict[str, Any]:
    return next(iter(config["config"].values()))["tensor_meta"]


def sized(value: Any, key: str = "sizes") -> Callable[[Room], bytes]:
    return in_json(
        WEIGHTS, lambda config: first_meta(config)[key].__setitem__(0, {"as_int": value})
    )


def flipped(seed: int) -> Callable[[Room], bytes]:
    def content(_room: Room) -> bytes:
        numbers, data = random.Random(seed), bytearray(good())
        for _ in range(64):
            data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
        return bytes(data)

    return content


def cases() -> Iterator[Case]:
    for name in (PROGRAM, WEIGHTS, CONSTANTS):
        for odd, data in ODD_JSON.items():
            yield case(f"{name} is {odd}", member(name, data))
    for name in (PROGRAM, WEIGHTS, CONSTANTS, "archive_format"):
        yield case(f"without {name}", without(name))
    for name, value in TARGETS.items():
        yield case(f"the operator is {name}", target(value))
    for name, value in SIZES.items():
        yield case(f"a weight's size is {name}", sized(value))
    for name in ("negative", "10^18"):
        yield case(f"a weight's stride is {name}", sized(SIZES[name], "strides"))
    for name in (EXAMPLE, "data/weights/weight_0", "data/constants/opaque_obj_0", "extra.pkl"):
        if not name.endswith("weight_0"):  # raw numbers there: a pickle is just other weights
            yield case(f"{name} is a pickle that calls", pickled(name))
    for name in (
        "../escape",
        "/escape",
        "data/aotinductor/model/x.so",
        "code.py",
        "data/weights/weight_0.so",
    ):
        yield case(f"it holds {name}", member(name, b"x"))
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        yield case(f"cut at {share:.0%}", cut(share))
    for seed in range(6):
        yield case(f"64 flipped bits, seed {seed}", flipped(seed))


def pipe(room: Room) -> list[str]:
    os.mkfifo(room.path / "net.pt2")
    return ["inspect", "net.pt2", "--quiet"]


def folder(room: Room) -> list[str]:
    (room.path / "net.pt2").mkdir()
    return ["inspect", "net.pt2", "--quiet"]


CASES = (*cases(), Case("pt2: a pipe", pipe), Case("pt2: a folder", folder))
