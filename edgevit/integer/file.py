"""An integer graph on disk: one .safetensors file with the tensors, and everything else as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

from edgevit.errors import PackageError
from edgevit.graph.program import Origin
from edgevit.graph.window import Window
from edgevit.integer.graph import SIZES, Constant, IntegerGraph, Op, Value
from edgevit.integer.ops import OPS
from edgevit.support.shape import Anything, Listing, Number, Table, Text, WholeNumber, require_shape
from edgevit.support.strangers_text import parse_json

_SCHEMA = 1
# A malformed graph can fail anywhere: a missing name, a shape that differs from the data's.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)  # fmt: skip
_KINDS = {op.kind: op for op in OPS}
VALUE_SHAPE = Table(
    {
        "name": Text(),
        "shape": Listing(WholeNumber(1, 1 << 31), most=16),
        "dtype": Text(tuple(SIZES)),
        "scale": Number(1e-300, 1e300),
        "zero": WholeNumber(-(1 << 15), 1 << 15),
    }
)
_ORIGIN = Table(
    {"module": Text(plain=False), "source": Text(plain=False), "rules": Listing(Text())}
)
_OP = Table(
    {"kind": Text(tuple(_KINDS)), "inputs": Listing(Text()), "output": VALUE_SHAPE, "origin": _ORIGIN},
    others=Anything(),
)  # fmt: skip
_GRAPH = Table(
    {
        "schema": WholeNumber(_SCHEMA, _SCHEMA),
        "name": Text(),
        "inputs": Listing(VALUE_SHAPE, least=1),
        "constants": Listing(VALUE_SHAPE),
        "ops": Listing(_OP),
        "outputs": Listing(Text(), least=1),
        "states": Listing(Listing(WholeNumber(0, 1 << 16), 2, 2)),
        "more": Anything(),
    },
    optional=("states",),
)


def save_graph(graph: IntegerGraph, path: Path, more: Mapping[str, Any] | None = None) -> None:
    """Write a graph to one .safetensors file. `more` is stored with it, as JSON."""
    tensors: dict[str, np.ndarray] = {c.value.name: c.data for c in graph.constants}
    ops = [_op_dict(op, tensors) for op in graph.ops]
    tensors |= {_initial(place): first for (place, _), first in zip(graph.states, graph.initial, strict=True)}  # fmt: skip
    about = {
        "schema": _SCHEMA,
        "name": graph.name,
        "inputs": [asdict(value) for value in graph.inputs],
        "constants": [asdict(constant.value) for constant in graph.constants],
        "ops": ops,
        "outputs": [value.name for value in graph.outputs],
        **({"states": graph.states} if graph.states else {}),
        "more": dict(more or {}),
    }
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    save_file(whole, path, {"graph": json.dumps(about)})


def load_graph(path: Path) -> tuple[IntegerGraph, dict[str, Any]]:
    """Read and verify a graph; return it with the JSON that was stored beside it."""
    try:
        metadata, tensors = _read(path)
        about = parse_json(metadata.get("graph", ""))
        require_shape(about, _GRAPH)
        return _graph(about, tensors).verify(), about["more"]
    except (OSError, SafetensorError, *_BROKEN) as error:
        raise PackageError(
            "the integer graph cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            hint="export the model again",
        ) from error


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Return metadata and arrays of a file; safetensors leaves both untyped."""
    opened = cast(AbstractContextManager[Any], safe_open(path, "numpy"))
    with opened as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata() or {}, tensors


def _op_dict(op: Op, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    entries: dict[str, Any] = {"kind": op.kind}
    for field in fields(op):
        content = getattr(op, field.name)
        if field.name == "inputs":
            content = [value.name for value in content]
        elif isinstance(content, np.ndarray):
            tensors[f"{op.name}/{field.name}"] = content
            content = {"tensor": f"{op.name}/{field.name}"}
        elif isinstance(content, (Value, Window, Origin)):
            content = asdict(content)
        entries[field.name] = content
    return entries


def _graph(about: dict[str, Any], tensors: dict[str, np.ndarray]) -> IntegerGraph:
    values = {v.name: v for v in map(_value, (*about["inputs"], *about["constants"]))}
    inputs = tuple(values[entry["name"]] for entry in about["inputs"])
    constants = tuple(
        Constant(values[entry["name"]], tensors[entry["name"]]) for entry in about["constants"]
    )
    ops: list[Op] = []
    for entry in about["ops"]:
        op = _op(entry, values, tensors)
        values[op.name] = op.output
        ops.append(op)
    outputs = tuple(values[name] for name in about["outputs"])
    states = _tuple(about.get("states", []))
    initial = tuple(tensors[_initial(place)] for place, _ in states)
    return IntegerGraph(about["name"], inputs, constants, tuple(ops), outputs, states, initial)


def _initial(place: int) -> str:
    return f"input_{place}/initial"


def _op(entry: dict[str, Any], values: dict[str, Value], tensors: dict[str, np.ndarray]) -> Op:
    entries = dict(entry)
    kind = _KINDS[entries.pop("kind")]
    entries["inputs"] = tuple(values[name] for name in entries["inputs"])
    entries["output"] = _value(entries["output"])
    entries["origin"] = Origin(**_tuples(entries["origin"]))
    for name, content in entries.items():
        if isinstance(content, dict):
            entries[name] = _field(cast(dict[str, Any], content), tensors)
        else:
            entries[name] = _tuple(content)
    return kind(**entries)


def _field(content: dict[str, Any], tensors: dict[str, np.ndarray]) -> np.ndarray | Window:
    return tensors[content["tensor"]] if "tensor" in content else Window(**_tuples(content))


def _value(entry: dict[str, Any]) -> Value:
    return Value(**_tuples(entry))


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: _tuple(x) for key, x in entry.items()}


def _tuple(content: Any) -> Any:
    """Return JSON with tuples for lists, the inner ones too."""
    if not isinstance(content, list):
        return content
    return tuple(_tuple(x) for x in cast(list[Any], content))
