"""Firmware as a device of a split model: what goes over its link, and the C that answers there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from edgevit.backends.mcu.bundle import FIRMWARE, Bundle, read_bundle
from edgevit.backends.mcu.codegen.firmware import FILES
from edgevit.integer import Port
from edgevit.support.quoting import c_string
from edgevit.support.resources import data_dir

_SESSION = '''

def session(path, part):
    """The integer model of a part: what its firmware computes, bit for bit. It needs edgevit."""
    from pathlib import Path

    from edgevit.backends.mcu.run.executable import open_executable

    executable = open_executable(Path(path).parent)
    return lambda *inputs: list(executable.simulate(inputs))
'''
_SOURCES = ("split.c", "ev_split.h", "main_board.c", "main_posix.c")
_README = """# Part {number}: {title}

`split.c` answers the messages of `run_split.py`; the network is in `../{firmware}`.

On the board, by its UART (on an emulated one, a TCP port):

    make -C ../{firmware} app APP="{up}/device_{number}/split.c {up}/device_{number}/main_board.c" OUTPUT=uart

`run_split.py run INPUT.npy --devices ...,serial:/dev/ttyACM0` asks it. QEMU has its UART as a TCP port, `-serial tcp::7100,server=on,wait=off`: HOST:PORT.

On Linux, where the kernels are the portable ones (Cortex-M3, M0+, RISC-V):

    cc -std=c99 -O2 -I../{firmware} -I../{firmware}/include split.c main_posix.c ../{firmware}/{files}*.c ../{firmware}/kernels/*.c -o part
    ./part 7100
"""


@dataclass(frozen=True)
class SplitFirmware:
    session: str = _SESSION

    def wire(self, folder: Path) -> dict[str, Any]:
        """Return how values go over the link of an exported part: integers with fixed scales, as they lie in memory."""
        bundle = read_bundle(folder)
        return {
            "inputs": [_facts(port) for port in bundle.inputs],
            "outputs": [_facts(port) for port in bundle.outputs],
        }

    def write(self, folder: Path, device: Path) -> None:
        """Write the program of a device beside the exported folder of its part."""
        shutil.rmtree(device, ignore_errors=True)
        device.mkdir(parents=True)
        for name in _SOURCES:
            shutil.copy(data_dir("kernels") / "split" / name, device)
        (device / "ev_split_part.h").write_text(_header(read_bundle(folder)))
        readme = _README.format(
            number=device.name.rpartition("_")[2],
            title=folder.name,
            firmware=f"{folder.name}/{FIRMWARE}",
            up="../..",
            files=FILES,
        )
        (device / "README.md").write_text(readme)


def _facts(port: Port) -> dict[str, Any]:
    sizes = [port.shape[axis] for axis in port.order]
    value = port.value
    return {
        "shape": sizes,
        "order": list(port.order),
        "as": value.dtype,
        "scale": value.scale,
        "zero": value.zero,
    }


def _header(bundle: Bundle) -> str:
    inputs, outputs = (_layout(ports) for ports in (bundle.inputs, bundle.outputs))
    return (
        "/* Messages of one part, written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n"
        "#ifndef EV_SPLIT_PART_H\n#define EV_SPLIT_PART_H\n\n#include <stdint.h>\n\n"
        f"static const char ev_split_request[] = {c_string(_message(bundle.inputs))};\n"
        f"static const char ev_split_reply[] = {c_string(_message(bundle.outputs))};\n"
        f"{_places('input', inputs)}{_places('output', outputs)}\n#endif\n"
    )


def _message(ports: Sequence[Port]) -> str:
    """Return the header of a message, as `run_split.py` writes and reads it."""
    facts = [_facts(port) for port in ports]
    return json.dumps(
        [
            {
                "shape": one["shape"],
                "as": one["as"],
                "scale": one["scale"],
                "zero": one["zero"],
                "dtype": "float32",
            }
            for one in facts
        ]
    )


def _layout(ports: Sequence[Port]) -> list[tuple[int, int]]:
    """Return the offset, aligned, and the bytes of each value."""
    sizes = [port.value.bytes for port in ports]
    starts = accumulate((-(-size // 16) * 16 for size in sizes), initial=0)
    return list(zip(starts, sizes, strict=False))


def _places(what: str, layout: Sequence[tuple[int, int]]) -> str:
    upper, total = what.upper(), layout[-1][0] + layout[-1][1]
    rows = ", ".join(f"{{{start}u, {size}u}}" for start, size in layout)
    return (
        f"enum {{ EV_SPLIT_{upper}S = {len(layout)}, EV_SPLIT_{upper}_BYTES = {total} }};\n"
        f"static const uint32_t ev_split_{what}s[][2] = {{{rows}}}; /* offset, bytes */\n"
    )


DEVICE = SplitFirmware()
