"""README.md of a bundle, for a reader who has only the folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit.backends.mcu.board.build_files import CTEST
from edgevit.backends.mcu.board.golden import filled
from edgevit.backends.mcu.board.weights import NAME
from edgevit.quantize import PIXELS
from edgevit.support.quoting import markdown
from edgevit.support.resources import data_dir

README = "README.md"


def write_readme(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the README.

    `folder` has the C; the manifest is that of the export, with the emulator's counts.
    """
    template = (data_dir("kernels") / "bundle" / README).read_text()
    (folder / README).write_text(filled(template, _values(folder, manifest)))


def _values(folder: Path, manifest: Mapping[str, Any]) -> dict[str, object]:
    firmware, board = manifest["firmware"], manifest["firmware"]["board"]
    header = (folder / "edgevit_model.h").read_text()
    streams = "EV_MODEL_ROWS" in header
    emulated = "run" in board
    return {
        "NAME": markdown(manifest["model"]["name"]),
        "ORIGIN": markdown(manifest["model"]["origin"]),
        "WEIGHTS_OF": markdown(manifest["model"]["weights"]),
        "VERSION": manifest["versions"]["edgevit"],
        "HASH": _defined(header, "EV_MODEL_HASH"),
        "TITLE": markdown(board["title"]),
        "CORE": board["core"],
        "FIGURES": _figures(firmware),
        "LAYERS": _layers(firmware.get("execution")),
        "PORTS": _ports(manifest["ports"]),
        "PIXELS": _pixels(manifest),
        "CALL": (_STREAMED if streams else _AT_ONCE)
        + (_STATES if "ev_model_reset_state(" in header else ""),
        "WEIGHTS": _weights(folder, board),
        "REGIONS": "\n".join(
            f"| {what} | {markdown(place)} |" for what, place in board["regions"].items()
        ),
        "TOOLCHAIN": board["toolchain"],
        "OTHER": _OTHER[board["toolchain"]],
        "GCC": board["gcc"],
        "GCC_PACKAGE": f"gcc-{board['gcc'].removesuffix('-gcc')}",
        "RUN": _RUN if emulated else "",
        "TEST": CTEST if emulated else "",
        "PORT_FILE": f"port/{board['port']}.c",
        "PORT": _comment((folder / "port" / f"{board['port']}.c").read_text()),
        "TESTED": _TESTED if emulated else _UNTESTED,
        "OUTPUT": board["output"],
        "MANIFESTS": _MANIFESTS if (folder / "library.json").is_file() else _ONLY_ZEPHYR,
    }


_OTHER = {
    "gcc": "make TOOLCHAIN=zig ZIG=python-zig",
    "zig": "make ZIG=python-zig               the same, as pip calls it; TOOLCHAIN=gcc builds it too",
}
_RUN = "    make run                          the self-test in QEMU\n"
_TESTED = (
    "The port was run in QEMU, not on hardware: an emulator has the instructions, and not the time."
)
_UNTESTED = "**The port compiles and links without a warning and is untested on hardware**: no emulator has this board."
_STREAMED = """```c
#include "edgevit_model.h"

static uint8_t arena[EV_MODEL_ARENA_BYTES] __attribute__((aligned(16)));
static ev_model model;
static int8_t output[EV_MODEL_OUTPUT_0_BYTES];

/* The image as the camera delivers it: any number of rows at a time, from the top. It is never whole in memory. */
int status = ev_model_begin(&model, arena, sizeof arena);
while (rows are left)
    status = ev_model_push_rows(&model, rows, count);      /* count * EV_MODEL_ROW_BYTES bytes, EV_MODEL_ROWS in all */
void *const outputs[] = {output};
status = ev_model_finish(&model, outputs);

/* Or all at once, where the image is in memory. */
const void *const inputs[] = {image};
status = ev_model_run(inputs, outputs, arena);
```

All return `EV_OK` (0) or an error of `ev_status.h`: rows in the wrong order or number, an arena that is too small or not aligned to 16."""
_AT_ONCE = """```c
#include "edgevit_model.h"

static uint8_t arena[EV_MODEL_ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t output[EV_MODEL_OUTPUT_0_BYTES];

const void *const inputs[] = {image};       /* each input, in order */
void *const outputs[] = {output};
int status = ev_model_run(inputs, outputs, arena);      /* EV_OK, or an error of ev_status.h */
```"""
_STATES = """

The network has states: `ev_model_reset_state(arena)` sets them to their first values, and each call takes over what the one before has left in the arena.
Call it before the first call of a sequence. Between calls nothing may write into the arena; an arena without states is `EV_ERROR_ORDER`."""
_MANIFESTS = """- **Zephyr**: `west build -- -DZEPHYR_EXTRA_MODULES=/path/to/this/folder -DCONFIG_EV_MODEL=y`, or both lines in the application.
- **PlatformIO**: this folder below `lib/`, or `lib_deps = symlink:///path/to/this/folder`. Set `build_flags = -O3`.
- **Arduino**: this folder below `libraries/`. `src/` leads its builder to the files; it has nothing of its own."""
_ONLY_ZEPHYR = """- **Zephyr**: `west build -- -DZEPHYR_EXTRA_MODULES=/path/to/this/folder -DCONFIG_EV_MODEL=y`, or both lines in the application.
- PlatformIO and Arduino take weights as C only: export with `--weights-as c`."""


def _defined(header: str, name: str) -> str:
    match = re.search(rf'#define {name} "(.+?)"', header)
    return match[1] if match else ""


def _comment(source: str) -> str:
    """Return the leading comment of a C file, below the line that names its licence."""
    source = source.partition("*/\n")[2] if source.startswith("/* SPDX") else source
    text = source[source.index("/*") + 2 : source.index("*/")]
    return " ".join(text.split())


def _figures(firmware: Mapping[str, Any]) -> str:
    ran = firmware.get("execution")
    rows = [
        ("arena", firmware["arena_bytes"], "planned; the caller gives it, `EV_MODEL_ARENA_BYTES`")
    ]
    if ran is None:
        rows.append(("weights and tables", firmware["constant_bytes"], "counted; no emulator was there to count the rest"))  # fmt: skip
    else:
        memory, how = (
            ran["memory"],
            f"`emulated`: {ran['core']}, {ran['toolchain']}, -O3, {ran['emulator']}",
        )
        rows += [
            ("stack", memory["stack_bytes"], f"{how}: the deepest that was touched"),
            ("static RAM", memory["ram_bytes"] - memory["arena_bytes"] - memory["stack_bytes"], "the linked program's"),
            ("RAM, all of it", memory["ram_bytes"], "the sum; the caller's image and outputs are not in it"),
            ("flash", memory["flash_bytes"], "the linked program's: code, weights, tables"),
        ]  # fmt: skip
    table = [f"| {name} | {size:,} bytes | {how} |" for name, size, how in rows]
    if ran is not None:
        table.append(f"| one inference | {ran['instructions']:,} instructions | `emulated`: exact, and no time |")  # fmt: skip
        cycles = f"{ran['predicted_cycles']:,}"
        table.append(
            f"| | {cycles} cycles | `predicted`: by instructions, where memory never waits; the self-test measures it |"
        )
    return "\n".join(table)


def _layers(ran: Mapping[str, Any] | None) -> str:
    if ran is None:
        return "Not counted: the emulator was missing when this was exported."
    rows = [
        f"| {k} | {markdown(layer['name'])} | {markdown(layer['kind'])} | {layer['macs']:,} | {layer['instructions']:,} |"
        for k, layer in enumerate(ran["per_layer"])
    ]
    head = "| | layer | operation | multiplications | instructions |\n|--:|---|---|--:|--:|\n"
    return head + "\n".join(rows)


def _ports(ports: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = []
    for kind in ("inputs", "outputs"):
        for k, port in enumerate(ports[kind]):
            shape = " x ".join(map(str, port["shape"]))
            rows.append(f"| {kind[:-1]} {k} | {shape} {port['dtype']} | real = (integer - {port.get('zero', 0)}) * {port.get('scale', 1.0)!r} |")  # fmt: skip
    return "\n".join(rows)


def _pixels(manifest: Mapping[str, Any]) -> str:
    how, entry = manifest["model"].get("preprocess"), manifest["ports"]["inputs"][0]
    lines = ["Images lie row by row, the channels of a pixel together."]
    if manifest["model"].get("options", {}).get("image_input"):
        lines.append(
            "The model takes pixels of 0 to 255 as a camera gives them, its own preprocessing is folded in: "
            f"integer = {_of_a_pixel(entry)}."
        )
    elif how and "mean" in how and "std" in how:
        lines.append(
            f"A pixel of 0 to 255 becomes real = (pixel / 255 - mean) / std with mean {how['mean']} and std {how['std']}, "
            f"in the order {how.get('channel_order', 'rgb')}, and then integer = floor(real / {entry.get('scale', 1.0)!r} + 0.5) "
            f"+ {entry.get('zero', 0)}, within the type's limits: a table of 256 for each channel."
        )
    return "\n".join(lines)


def _of_a_pixel(entry: Mapping[str, Any]) -> str:
    scale, zero = entry.get("scale", 1.0), entry.get("zero", 0)
    if (scale, zero) == (PIXELS.scale, PIXELS.zero):
        return "pixel - 128, which is the byte with its highest bit flipped"
    return f"floor(pixel / {scale!r} + 0.5) + {zero}, within the type's limits"


def _weights(folder: Path, board: Mapping[str, Any]) -> str:
    endings = {"c": "c", "object": "o", "binary": "bin", "streamed": "bin"}
    names = {form: f"`{NAME}.{ending}`" for form, ending in endings.items()}
    form, address = board["weights"], board["weights_address"]
    size = f"{board['weights_bytes']:,} bytes"
    if form == "c":
        return f"They are {names['c']}, {size} as a C array."
    if form == "object":
        return f"They are {names['object']}, {size} as an object for the linker, under the symbol `ev_model_weights`."
    if form == "streamed":
        return (
            f"They are {names['streamed']}, {size} that the program reads wherever it keeps them: it defines `ev_model_read_weights` "
            f"(`{NAME}.h`), which the model calls before each of its loops, for what that loop needs. They come into a static buffer of "
            f"{board['weights_buffer']:,} bytes, counted as static RAM above: one image at a time. The self-test has them linked, and "
            "reads them from there (`selftest/read_weights.c`)."
        )
    return (
        f"They are {names['binary']}, {size} that must lie at {address:#010x} and be readable there as memory: write the file to that "
        f"address with your programmer. The build files say so to the compiler by `EV_MODEL_WEIGHTS_ADDRESS`. The program must map the "
        f"flash before the first call. Whether what lies there is right, the self-test tells by its CRC-32, "
        f"`EV_MODEL_WEIGHTS_CRC32` of `{NAME}.h`."
    )
