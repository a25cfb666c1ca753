"""Bit map: a file that names the values, or calls, that have more bits than the rest.

[types]
conv2d_3 = "float"  # conv2d  blocks.0.conv1  shvit.py:88
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgevit.errors import PackageError, UsageError, suggest
from edgevit.graph.aten import kind
from edgevit.graph.program import Program, origin
from edgevit.quantize.scheme import FLOAT, QuantScheme
from edgevit.support.shape import ShapeError, Table, Text, WholeNumber, require_shape
from edgevit.support.strangers_text import read_toml

BIT_MAP = "bits.toml"  # its name in an export
_SCHEMA = 1
_SHAPE = Table(
    {
        "schema": WholeNumber(_SCHEMA, _SCHEMA),
        "types": Table(others=Text((FLOAT, "int16", "uint16"))),
    }
)
_HEAD = """\
# Written by `edgevit export --precision mixed`. The same assignment again:
#     edgevit export MODEL --precision mixed --bit-map bits.toml
"""


def bit_map_text(types: Mapping[str, str], program: Program) -> str:
    """Return the file: a line a value, in the order of the graph, with its module and line."""
    lines = [f"{_HEAD}schema = {_SCHEMA}", "", "[types]"]
    for node in program.graph.nodes:
        if node.name in types:
            where = " ".join(origin(node).place.split("\n"))
            comment = f"  # {kind(node) or 'input'}  {where}"
            lines.append(f'{node.name} = "{types[node.name]}"{comment}')
    return "\n".join(lines) + "\n"


def read_bit_map(path: Path) -> dict[str, str]:
    """Read a bit map; a file that is none is refused."""
    hint = f"give the {BIT_MAP} of an export with --precision mixed"
    try:
        values = read_toml(path)
        require_shape(values, _SHAPE)
        return dict(values["types"])
    except ShapeError as error:
        raise PackageError(
            "the bit map cannot be read", where=f"{path}  {error.at}", why=error.why, hint=hint
        ) from error
    except (OSError, ValueError, TypeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise PackageError(
            "the bit map cannot be read", where=str(path), why=why, hint=hint
        ) from error


def require_fits(
    types: Mapping[str, str], program: Program, scheme: QuantScheme, path: Path
) -> None:
    """Refuse a bit map of another model, or of another runtime."""
    names = {
        node.name for node in program.graph.nodes if node.op in {"call_function", "placeholder"}
    }
    wide = scheme.wide or FLOAT
    for name, type_ in types.items():
        if name not in names:
            raise UsageError(
                "the bit map was made for another model or format",
                where=f"{path}  types.{name}",
                why="the graph has no value of this name",
                hint=suggest(name, names) or f"give the {BIT_MAP} of this model and format",
            )
        if type_ != wide:
            raise UsageError(
                f"the format has no {type_} beside its integers",
                where=f"{path}  types.{name}",
                why=f"its values of more bits are {wide}",
                hint=f"give the {BIT_MAP} of an export in this format",
            )
