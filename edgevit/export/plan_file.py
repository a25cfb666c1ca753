"""`plan.toml`: the options chosen for a model on a target, with reasons and figures.

It is for people, and for `export --plan`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from edgevit.errors import PackageError
from edgevit.quantize import CALIBRATION
from edgevit.support.backend_info import BACKENDS, precisions
from edgevit.support.backend_options import BackendOptions, OptionsInfo, optioned, options_info
from edgevit.support.shape import (
    Anything,
    Either,
    Flag,
    Listing,
    Number,
    ShapeError,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import read_toml

SCHEMA = 1
_HEAD = """\
# Written by `edgevit tune`. The same artifact again, byte for byte:
#     edgevit export MODEL --target T --plan plan.toml
"""


@dataclass(frozen=True)
class Made:
    """Name, size and digest of the measured artifact."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ExportPlan:
    model: str  # model spec, as tuned
    target: str
    format: str
    precision: str
    chosen: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # options other than the defaults
    lossy: tuple[str, ...] = ()
    threads: int = 0  # to run with; 0: all cores
    convert_threads: int = 1  # torch threads of the export: they split sums, and so affect bits
    graph: str = ""  # hash of the captured graph
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # of the model
    backend: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # options of the format's backend
    calibration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    artifact: Made | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    verdict: str = ""
    why: Mapping[str, str] = field(default_factory=dict[str, str])  # choice -> reason
    figures: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # with `kind`: measured or emulated
    device: Mapping[str, Any] = field(default_factory=dict[str, Any])


def plan_text(plan: ExportPlan) -> str:
    """Return the plan as TOML, with each choice's reason as a comment. None values are left out."""
    lines = [_HEAD, f"schema = {SCHEMA}"]
    for name in ("model", "target", "verdict"):
        lines.append(f"{name} = {_value(getattr(plan, name))}")
    lines += ["", "[artifact_choices]"]
    for name in ("format", "precision", "lossy", "threads"):
        comment = f"  # {plan.why[name]}" if name in plan.why else ""
        lines.append(f"{name} = {_value(getattr(plan, name))}{comment}")
    lines += ["", "[chosen]"]
    lines += [
        f"{_key(name)} = {_value(option)}" + (f"  # {plan.why[name]}" if name in plan.why else "")
        for name, option in plan.chosen.items()
    ] or ["# every choice of the backend is at its default"]
    lines += ["", "[made_with]", f"graph = {_value(plan.graph)}"]
    lines.append(f"convert_threads = {plan.convert_threads}")
    tables: dict[str, Mapping[str, Any]] = {
        "made_with.options": plan.options,
        **_backend_table(plan),
        "made_with.calibration": plan.calibration,
        "made_with.versions": plan.versions,
        "artifact": asdict(plan.artifact) if plan.artifact else {},
        "figures": plan.figures,
        "device": plan.device,
    }
    for name, entries in tables.items():
        lines += _table(name, entries)
    return "\n".join(lines) + "\n"


def _backend_table(plan: ExportPlan) -> dict[str, Mapping[str, Any]]:
    info = options_info(plan.format)
    return {f"made_with.{_table_of(plan.format, info)}": plan.backend} if info else {}


# Contents allowed in a plan: the choices of `tune`, and model options that run no code. Trust in
# code is given on the command line alone.
WEIGHTS = Text(
    pattern=r"random|pretrained|(?!-).+\.safetensors",
    rule="`random`, `pretrained` or a .safetensors file: other weights are named by --weights",
)
_SIDE = WholeNumber(1, 1 << 16)
_CHANNELS = Listing(Number(-1e6, 1e6), least=1, most=4096)
_OPTIONS = {
    "weights": WEIGHTS,
    "input_size": Either((_SIDE, Listing(_SIDE, least=2, most=2))),
    "batch": WholeNumber(1, 1 << 16),
    "seed": WholeNumber(0, (1 << 63) - 1),
    "mean": _CHANNELS,
    "std": _CHANNELS,
    "labels": Listing(Text(plain=False)),
    "image_input": Flag(),
    "channels_last": Flag(),
    "inputs": Text(),
    "head": Text(("native", "split", "keep")),
}
_ARTIFACT = {
    "name": Text(),
    "bytes": WholeNumber(0, 1 << 50),
    "sha256": Text(pattern="[0-9a-f]{1,64}", rule="a hash"),
}
_CALIBRATION = CALIBRATION.shape()


def _tables() -> dict[str, Table]:
    """Map the tables of the backends' options to their shapes.

    Until 0.1 they held the options of calibration as well.
    """
    shapes = {_table_of(format, info): info.shape().keys for format, info in optioned()}
    wide = {table: {**keys, **_CALIBRATION.keys} for table, keys in shapes.items()}
    return {table: Table(keys, optional=tuple(keys)) for table, keys in wide.items()}


def _made_with() -> Table:
    own = {
        "graph": Text(pattern="[0-9a-f]{0,64}", rule="a hash"),
        "convert_threads": WholeNumber(1, 256),
        "options": Table(_OPTIONS, optional=tuple(_OPTIONS)),
        "calibration": _CALIBRATION,
        "versions": Table(others=Text()),
    }
    tables = {**_tables(), **own}
    return Table(tables, optional=tuple(set(tables) - {"graph", "convert_threads"}))


_PLAN = Table(
    {
        "schema": WholeNumber(SCHEMA, SCHEMA),
        "model": Text(),
        "target": Text(),
        "verdict": Text(plain=False),
        "artifact_choices": Table(
            {
                "format": Text(tuple(BACKENDS)),
                "precision": Text(precisions()),
                "lossy": Listing(Text(), most=64),
                "threads": WholeNumber(0, 4096),
            }
        ),
        "chosen": Table(others=Text()),
        "made_with": Table(others=Anything()),  # by `_made_with`
        "artifact": Table(_ARTIFACT, optional=tuple(_ARTIFACT)),
        "figures": Table(others=Anything()),
        "device": Table(others=Anything()),
    },
    optional=("chosen", "artifact", "figures", "device"),
)


def read_plan(path: Path) -> ExportPlan:
    """Read a plan. Values that `tune` cannot have chosen are refused: plan files are untrusted."""
    try:
        values = read_toml(path)
        require_shape(values, _PLAN)
        require_shape(values["made_with"], _made_with(), "made_with")
        return _plan(values)
    except FileNotFoundError as error:
        raise PackageError(
            "there is no such plan",
            where=str(path),
            why="no file has this name",
            hint="edgevit tune MODEL --target T --on R",
        ) from error
    except ShapeError as error:
        raise PackageError(
            "the plan cannot be read",
            where=f"{path}  {error.at}",
            why=error.why,
            hint=error.hint or "give the plan.toml that `edgevit tune` wrote, as it wrote it",
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise PackageError(
            "the plan cannot be read",
            where=str(path),
            why=getattr(error, "strerror", None) or str(error),
            hint="give the plan.toml that `edgevit tune` wrote",
        ) from error


def _plan(values: Mapping[str, Any]) -> ExportPlan:
    first, made_with = values["artifact_choices"], values["made_with"]
    entries: dict[str, Any] = {
        **{name: values[name] for name in ("model", "target", "verdict")},
        **{name: first[name] for name in ("format", "precision", "threads")},
        "lossy": tuple(first["lossy"]),
        "chosen": dict(values.get("chosen", {})),
        "graph": made_with["graph"],
        "convert_threads": made_with["convert_threads"],
        **{name: made_with.get(name, {}) for name in ("options", "versions")},
        **_heeded(first["format"], made_with),
        "artifact": Made(**values["artifact"]) if values.get("artifact") else None,
        **{name: values.get(name, {}) for name in ("figures", "device")},
    }
    assert set(entries) <= {f.name for f in fields(ExportPlan)}
    return ExportPlan(**entries)


def _heeded(format: str, made_with: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of the backend and of calibration. Those of other backends are refused."""
    info = options_info(format)
    own = _table_of(format, info) if info else ""
    for table in _tables():
        if made_with.get(table) and table != own:
            raise ShapeError(f"made_with.{table}", f"options that {format} does not take")
    entries = made_with.get(own, {})
    calibration = {k: v for k, v in entries.items() if k in _CALIBRATION.keys}
    return {
        "backend": {k: v for k, v in entries.items() if k not in calibration},
        "calibration": {**calibration, **made_with.get("calibration", {})},
    }


def _table_of(format: str, info: OptionsInfo[BackendOptions]) -> str:
    return info.table or format


def _table(name: str, entries: Mapping[str, Any]) -> list[str]:
    flat = {k: v for k, v in entries.items() if v is not None and not isinstance(v, Mapping)}
    lines = ["", f"[{name}]", *(f"{_key(k)} = {_value(v)}" for k, v in flat.items())]
    for key, inner in entries.items():
        if isinstance(inner, Mapping):
            lines += _table(f"{name}.{_key(key)}", cast(Mapping[str, Any], inner))
    return lines


def _key(name: str) -> str:
    plain = all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if name and plain else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part) for part in cast(Sequence[Any], value)) + "]"
    # JSON escapes are valid in TOML, except DEL and lone surrogates, which no name has
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
