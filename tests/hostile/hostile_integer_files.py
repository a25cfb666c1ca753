"""Integer graphs of firmware folders that somebody else wrote, run by `simulate`, which trusts nobody."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from safetensors import safe_open
from safetensors.numpy import save_file

from edgevit.exported.staging import listed_files
from tests.hostile.case import Case, Room
from tests.hostile.hostile_manifests import at, written

FILE = "model.integer.safetensors"
WRONG: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "a text": "x",
    "an empty list": [],
    "an empty table": {},
    "huge": [10**9, 10**9, 10**9],
    "gone": ...,
}
PLACES = (
    "inputs", "inputs.0.shape", "inputs.0.scale", "outputs", "constants", "ops", "ops.0.kind", "ops.0.inputs", "ops.0.output",
    "ops.0.weight", "ops.0.window", "ops.0.window.stride", "ops.0.multiplier", "ops.0.groups", "more", "more.core",
    "more.kept", "more.tile", "more.weights", "more.inputs", "more.inputs.0.value", "more.inputs.0.order",
    "more.outputs.0.shape",
)  # fmt: skip
ODD = {
    "more.kept": ["x"],
    "more.inputs.0.order": [0, 0, 0, 0],
    "more.weights": "../../etc/passwd",
    "ops.0.groups": 0,
    "ops.0.window.stride": [0, 0],
    "ops.0.window.padding": [10**9] * 4,
    "ops.1.output.shape": [10**6, 10**6],
    "inputs.0.scale": 0.0,
    "name": "x\x1b]0;title\x07",
}


def changed(
    room: Room, change: Callable[[dict[str, Any]], None] | None, text: str = ""
) -> list[str]:
    folder = room.exported("mcu")
    with safe_open(folder / FILE, "numpy") as file:
        about = json.loads(file.metadata()["graph"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if change is not None:
        change(about)
    save_file(tensors, folder / FILE, {"graph": text or json.dumps(about)})
    manifest = json.loads((folder / "edgevit.json").read_text())
    manifest["files"] = listed_files(folder)
    (folder / "edgevit.json").write_bytes(written(manifest))
    return ["simulate", "mcu"]


def places() -> Iterator[Case]:
    for place in PLACES:
        for kind, value in WRONG.items():
            if (place, kind) in {
                ("ops.0.groups", "gone"),
                ("constants", "an empty list"),
                ("more.kept", "an empty list"),
                ("more.tile", "a number"),
            }:
                continue
            make = partial(changed, change=at(place, copy.deepcopy(value)))
            yield Case(f"integer graph: {place} is {kind}", make, code=12)
    for place, value in ODD.items():
        yield Case(
            f"integer graph: {place} is odd", partial(changed, change=at(place, value)), code=12
        )


TEXTS = {
    "deep lists": "[" * 100_000,
    "deep tables": '{"a":' * 5000 + "1" + "}" * 5000,
    "no JSON": "x",
    "a list": "[]",
    "NaN": '{"schema": NaN}',
}
CASES = (
    *places(),
    *(
        Case(f"integer graph: {kind}", partial(changed, change=None, text=text), code=12)
        for kind, text in TEXTS.items()
    ),
    Case("integer graph: as it was", partial(changed, change=None), code=0, passes=True),
)
