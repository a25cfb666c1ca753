"""Rust crate: `no_std`, without dependencies and without bindgen; its build script calls the C compiler."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.board.golden import filled
from edgevit.backends.mcu.packages.firmware import Firmware, PortSize, templates, write_filled
from edgevit.support.quoting import comment

_TYPES = {"int8": "i8", "int16": "i16"}
_FREE = ", free again after each call. It may be that of another network too."
_KEPT = ", which keeps its states between calls: nothing else may have it, and `reset_state` begins a sequence."
_RESET = """
    /// Set the states to their first values: before the first call of a sequence.
    pub fn reset_state(&mut self) -> Result<(), Error> {
        // SAFETY: the arena is the network's own.
        checked(unsafe { ev_model_reset_state(self.0.as_mut_ptr()) })
    }
"""
_RESET_SYMBOL = "    fn ev_model_reset_state(arena: *mut u8) -> i32;\n"


def rust(firmware: Firmware, folder: Path) -> Path:
    firmware.copy_library(folder / "c")
    for name in ("LICENSE", "README.md", "memory.svg"):
        if (folder / "c" / name).is_file():
            shutil.move(folder / "c" / name, folder / name)
    crate = f"ev-model-{firmware.slug.replace('_', '-')}"
    values = {"NAME": comment(firmware.name), "CRATE": crate, "VERSION": firmware.version}
    write_filled("rust/Cargo.toml", folder / "Cargo.toml", **values)
    sources = "\n".join(f'    "c/{source}",' for source in firmware.sources)
    flags = ", ".join(f'"{flag}"' for flag in firmware.flags())
    write_filled("rust/build.rs", folder / "build.rs", SOURCES=sources, FLAGS=flags)
    write_filled("rust/src/lib.rs", folder / "src" / "lib.rs", **values, **_library(firmware))
    write_filled("rust/tests/golden.rs", folder / "tests" / "golden.rs", **_test(firmware))
    return folder


def _library(firmware: Firmware) -> dict[str, object]:
    inputs, outputs = firmware.ports("INPUT"), firmware.ports("OUTPUT")
    sizes = [
        f"pub const {kind}_{k}: usize = {port.elements}; // elements"
        for kind, ports in (("INPUT", inputs), ("OUTPUT", outputs))
        for k, port in enumerate(ports)
    ]
    arguments = {
        "INPUTS": ", ".join(f"input_{k}: &[{_TYPES[p.dtype]}; INPUT_{k}]" for k, p in enumerate(inputs)),
        "OUTPUTS": _outputs(outputs),
        "INPUT_POINTERS": ", ".join(f"input_{k}.as_ptr().cast::<c_void>()" for k in range(len(inputs))),
        "OUTPUT_POINTERS": _pointers(outputs),
    }  # fmt: skip
    return {
        "HASH": firmware.hash,
        "ARENA": firmware.number("ARENA_BYTES"),
        "SIZES": "\n".join(sizes),
        "ARENA_NOTE": _KEPT if firmware.has_states else _FREE,
        "RESET": _RESET if firmware.has_states else "",
        "RESET_SYMBOL": _RESET_SYMBOL if firmware.has_states else "",
        **arguments,
        "STREAM": _stream(firmware, inputs, outputs),
    }


def _outputs(outputs: Sequence[PortSize]) -> str:
    return ", ".join(f"output_{k}: &mut [{_TYPES[p.dtype]}; OUTPUT_{k}]" for k, p in enumerate(outputs))  # fmt: skip


def _pointers(outputs: Sequence[PortSize]) -> str:
    return ", ".join(f"output_{k}.as_mut_ptr().cast::<c_void>()" for k in range(len(outputs)))


def _stream(firmware: Firmware, inputs: Sequence[PortSize], outputs: Sequence[PortSize]) -> str:
    """Return what takes an image by rows; nothing where inputs are passed whole."""
    rows, counters = firmware.number("ROWS"), re.search(r"uint16_t made\[(\d+)\]", firmware.header)
    if rows is None or counters is None:
        return ""
    values: dict[str, object] = {
        "MADE": counters[1],
        "ROWS": rows,
        "ROW_ELEMENTS": inputs[0].elements // rows,
        "ELEMENT": _TYPES[inputs[0].dtype],
        "OUTPUTS": _outputs(outputs),
        "OUTPUT_POINTERS": _pointers(outputs),
    }
    return filled((templates() / "rust" / "stream.rs").read_text(), values)


def _test(firmware: Firmware) -> dict[str, object]:
    inputs, outputs = firmware.ports("INPUT"), firmware.ports("OUTPUT")
    results = firmware.vectors("output")  # of one call after the other
    calls = len(results) // len(outputs)
    vectors = [
        _constant(f"{kind}_VECTOR_{k}", data, port)
        for kind, arrays, ports in (
            ("INPUT", firmware.vectors("input"), inputs),
            ("OUTPUT", results, [*outputs] * calls),
        )
        for k, (data, port) in enumerate(zip(arrays, ports, strict=True))
    ]
    places = [f"&mut output_{k}" for k in range(len(outputs))]
    arguments = ", ".join([*(f"&INPUT_VECTOR_{k}" for k in range(len(inputs))), *places])
    ways = [[f"run({arguments}, &mut arena).unwrap();"]]
    if firmware.number("ROWS") is not None:
        ways.insert(0, [
            "let mut stream = Stream::begin(&mut arena).unwrap();",
            "for rows in INPUT_VECTOR_0.chunks(ROW_ELEMENTS * 3) {",
            "    stream.push_rows(rows).unwrap();",
            "}",
            f"stream.finish({', '.join(places)}).unwrap();",
        ])  # fmt: skip
    lines: list[str] = []
    for way in ways:
        lines += ["arena.reset_state().unwrap();"] if firmware.has_states else []
        for call in range(calls):
            lines += [f"output_{k}.fill(0);" for k in range(len(outputs))]
            lines += way
            first = call * len(outputs)
            lines += [
                f"assert_eq!(output_{k}, OUTPUT_VECTOR_{first + k});" for k in range(len(outputs))
            ]
    return {
        "VECTORS": "\n".join(vectors),
        "BUFFERS": "\n".join(
            f"    let mut output_{k} = [0; OUTPUT_{k}];" for k in range(len(outputs))
        ),
        "CALLS": "\n".join(f"    {line}" for line in lines),
    }


def _constant(name: str, data: bytes, port: PortSize) -> str:
    numbers = np.frombuffer(data, np.dtype(port.dtype).newbyteorder("<"))
    return f"const {name}: [{_TYPES[port.dtype]}; {len(numbers)}] = {numbers.tolist()};"
