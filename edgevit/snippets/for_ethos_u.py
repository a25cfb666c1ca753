"""Calling code for this format's artifacts: TensorFlow Lite Micro with its operator for the NPU."""

from __future__ import annotations

import hashlib
import re

from edgevit.backends import C_TYPES, Facts, Snippet, count, numbers
from edgevit.backends.ethos_u import INFO
from edgevit.snippets.ethos_u_selftest import SELFTEST, parameters, place_of_npu, regions
from edgevit.snippets.templates import TEMPLATES
from edgevit.support.quoting import word

_ROW = 20  # bytes a line
_STRUCTURES = 16 << 10  # bytes that the interpreter takes of the arena, beside what Vela plans
_PIECE = re.compile(r"[A-Z]+|[0-9]+[A-Z]*")


def _call(facts: Facts) -> dict[str, str]:
    needed = _needed(facts)
    planned = int(facts.manifest["predicted"]["ram_bytes"])
    first = facts.outputs[0]
    copies = [
        f"    for (size_t i = 0; i < {count(port)}u; i++)\n"
        f"        model->input({k})->data.{_field(port.dtype)}[i] = input_{k}[i];"
        for k, port in enumerate(facts.inputs)
    ]
    return {
        **_npu(facts),
        "PLANNED": f"{planned:,}",
        "ARENA": str(_aligned(planned + _STRUCTURES)),
        "OPS": str(len(needed)),
        "ADD": "\n".join(f"        ops.Add{name}();" for name in needed),
        "PREPARE": _prepare(facts),
        "PARAMETERS": parameters(facts),
        "COPIES": "\n".join(copies),
        "FIELD": _field(first.dtype),
        "ZERO": str(first.zero or 0),
        "SCALE": numbers([first.scale or 1.0]) + "f",
    }


def _model(facts: Facts) -> dict[str, str]:
    data = (facts.folder / facts.file).read_bytes()
    rows = (data[k : k + _ROW] for k in range(0, len(data), _ROW))
    return {
        "BYTES": str(len(data)),
        "DIGEST": hashlib.sha256(data).hexdigest(),
        "ARRAY": "\n".join("    " + ",".join(map(str, row)) + "," for row in rows),
    }


def _readme(facts: Facts) -> dict[str, str]:
    npu, predicted = facts.manifest["npu"], facts.manifest["predicted"]
    return {
        **_npu(facts),
        "GOLDEN": word(npu["golden"]),
        "NEEDED": ", ".join(f"`{name}`" for name in _needed(facts)),
        "VERSION": word(facts.manifest["versions"][INFO.libraries[0]]),
        "ACCELERATOR": word(npu["name"].lower()),
        "SYSTEM": word(npu["system_config"]),
        "MEMORY": word(npu["memory_mode"]),
        "CYCLES": f"{predicted['cycles']:,}",
        "RAM": f"{predicted['ram_bytes']:,}",
        "FLASH": f"{npu['file_bytes']:,}",
        "PLANNED": f"{predicted['ram_bytes']:,}",
        "ARENA_TEXT": f"{_aligned(predicted['ram_bytes'] + _STRUCTURES):,}",
        **place_of_npu(facts),
        **regions(facts),
    }


def _npu(facts: Facts) -> dict[str, str]:
    return {"NPU": word(facts.manifest["npu"]["name"])}


def _needed(facts: Facts) -> list[str]:
    """Return the operators as TensorFlow Lite Micro's resolver calls them: `EthosU`, `Conv2D`."""
    left_out = [entry["op"] for entry in facts.manifest["delegation"]["outside"]]
    return ["EthosU", *dict.fromkeys(resolver_name(op) for op in left_out)]


def resolver_name(op: str) -> str:
    pieces = [piece for part in op.split("_") for piece in _PIECE.findall(part)]
    return "".join(p if p[0].isdigit() else p.capitalize() for p in pieces)


def _field(dtype: str) -> str:
    return {"float32": "f", "bool": "b", "uint8": "uint8"}.get(dtype) or dtype.replace("int", "i")


def _aligned(size: int) -> int:
    return -(-size // 1024) * 1024


def _prepare(facts: Facts) -> str:
    how, port = facts.prepare, facts.inputs[0]
    if how is None or port.scale is None:
        return ""
    place = "(y * WIDTH + x) * 3 + c" if how.channels_last else "(c * HEIGHT + y) * WIDTH + x"
    return f"""
// A picture of RGB bytes, {how.height}x{how.width}, as the input.
void prepare(const uint8_t *rgb, int8_t *input)
{{
    constexpr size_t HEIGHT = {how.height}, WIDTH = {how.width};
    constexpr float SCALE[3] = {{{numbers(how.scale)}}}, OFFSET[3] = {{{numbers(how.offset)}}};
    constexpr int SOURCE[3] = {{{", ".join(map(str, how.source))}}};
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++)
            for (size_t c = 0; c < 3; c++) {{
                const float real = rgb[(y * WIDTH + x) * 3 + SOURCE[c]] * SCALE[c] + OFFSET[c];
                const float level = std::rint(real / {numbers([port.scale])}f) + ({port.zero});
                input[{place}] = static_cast<int8_t>(std::fmin(std::fmax(level, -128.0f), 127.0f));
            }}
}}
"""


SNIPPETS = (
    Snippet("call.cpp", TEMPLATES / "ethos_u.cpp.txt", _call, C_TYPES),
    Snippet("model.cpp", TEMPLATES / "ethos_u_model.cpp.txt", _model, C_TYPES),
    *SELFTEST,
    Snippet("README.md", TEMPLATES / "ethos_u.md.txt", _readme, C_TYPES),
)
