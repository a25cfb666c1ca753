"""Weights and tables beside the code, in the requested form.

The forms are C, an object to link, a binary in memory, and a binary that the program reads piece by
piece.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.board.layout import weights_region
from edgevit.backends.mcu.codegen.c_api import CPLUSPLUS_BEGIN, CPLUSPLUS_END
from edgevit.backends.mcu.codegen.constants import braced
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.toolchain import Toolchain
from edgevit.errors import UsageError, suggest
from edgevit.targets import Target

FORMS = ("c", "object", "binary", "streamed")
NAME = "edgevit_model_weights"  # of the files
SYMBOL = "ev_model_weights"


@dataclass(frozen=True)
class WeightsForm:
    form: str  # one of FORMS
    address: int | None = None  # of a binary

    @property
    def file(self) -> str:
        return f"{NAME}.{ {'c': 'c', 'object': 'o'}.get(self.form, 'bin') }"

    @property
    def is_streamed(self) -> bool:
        return self.form == "streamed"


C_ARRAY = WeightsForm("c")


def weights_form(wish: str, target: Target) -> WeightsForm:
    """Parse a form: `c`, `object`, `binary`, `binary@0x90000000` and the like.

    A `binary` without an address is at the start of the target's external flash.
    """
    form, at, place = wish.partition("@")
    if form not in FORMS:
        raise UsageError(
            f"weights cannot be written as `{form}`", hint=suggest(form, FORMS) or ", ".join(FORMS)
        )
    if form != "binary":
        if at:
            raise UsageError(f"`{wish}`: only a binary has an address", hint="binary@0x90000000")
        return WeightsForm(form)
    if at:
        return WeightsForm(form, _address(place))
    region = weights_region(target)
    if region is None:
        raise UsageError(
            f"where does the binary of weights lie on {target.title}?",
            why="it has no external flash of its own in its memory map",
            hint="binary@ADDRESS, a multiple of 16",
        )
    return WeightsForm(form, region.base)


def _address(text: str) -> int:
    try:
        address = int(text, 0)
    except ValueError:
        address = -1
    if not 0 <= address < 1 << 32 or address % 16:
        raise UsageError(f"`{text}` is not an address for weights", why="a multiple of 16, below 2^32", hint="binary@0x90000000")  # fmt: skip
    return address


def write_weights(folder: Path, weights: bytes, form: WeightsForm, core: Core, tool: Toolchain) -> None:  # fmt: skip
    text = _header(weights, _STREAMED if form.is_streamed else _IN_MEMORY)
    (folder / f"{NAME}.h").write_text(text)
    if form.form == "c":
        numbers = braced(np.frombuffer(weights or bytes(16), np.uint8))
        (folder / form.file).write_text(
            f'/* All weights and tables. Written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n#include "{NAME}.h"\n\n'
            f"__attribute__((aligned(16))) const uint8_t {SYMBOL}[{_SIZE}] = {numbers};\n"
        )
    elif form.form in ("binary", "streamed"):
        (folder / form.file).write_bytes(weights or bytes(16))
    else:
        with tempfile.TemporaryDirectory(prefix="edgevit-") as work:
            data = Path(work) / f"{NAME}.bin"
            data.write_bytes(weights or bytes(16))
            shutil.copy(assembled(data, core, tool, Path(work)), folder / form.file)


def write_reader(folder: Path) -> None:
    """Write the weights reader of a self-test: the weights are linked in and read from there."""
    (folder / "read_weights.c").write_text(
        "/* Of the self-test: a program has the driver of its flash or card here. Written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n"
        + READ_LINKED
    )
    (folder / "weights.S").write_text(_incbin(f"{NAME}.bin"))


def _incbin(file: str) -> str:
    return (
        f'.section .rodata.{SYMBOL}, "a"\n.balign 16\n.global {SYMBOL}\n'
        f'{SYMBOL}:\n.incbin "{file}"\n'
    )


def assembled(data: Path, core: Core, tool: Toolchain, work: Path) -> Path:
    """Assemble the bytes of `data` into an object, under the weights' symbol."""
    source = work / f"{NAME}-bytes.S"
    source.write_text(_incbin(str(data.resolve())))
    # Kept objects go by their source alone, and this one has its bytes elsewhere.
    return replace(tool, cache=work / "objects").compile(source, core)


_SIZE = f"{SYMBOL.upper()}_BYTES"


_IN_MEMORY = f"""/* A binary that lies somewhere in memory: define EV_MODEL_WEIGHTS_ADDRESS, or `{SYMBOL}` in the linker script. */
#ifdef EV_MODEL_WEIGHTS_ADDRESS
#define {SYMBOL} ((const uint8_t *)EV_MODEL_WEIGHTS_ADDRESS)
#else
extern const uint8_t {SYMBOL}[{_SIZE}];
#endif
"""
_STREAMED = """#define EV_MODEL_WEIGHTS_STREAMED

/* The program defines it: reads so many bytes of the file from `offset` on, and returns 0 when they are there. Anything
   else ends the call of the model with EV_ERROR_WEIGHTS. It is asked before each loop of the model, for one piece. */
int ev_model_read_weights(uint32_t offset, void *to, uint32_t bytes);
"""
# In emulators and self-tests the file is linked, and read from there.
READ_LINKED = f"""#include <string.h>

#include "{NAME}.h"

extern const uint8_t {SYMBOL}[];

int ev_model_read_weights(uint32_t offset, void *to, uint32_t bytes)
{{
    memcpy(to, {SYMBOL} + offset, bytes);
    return 0;
}}
"""


def _header(weights: bytes, how: str) -> str:
    guard = f"{NAME.upper()}_H"
    begin, end = ("\n".join(lines) for lines in (CPLUSPLUS_BEGIN, CPLUSPLUS_END))
    return f"""/* All weights and tables, in one piece. Written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#define {_SIZE} {max(len(weights), 16)}u
#define {SYMBOL.upper()}_CRC32 {zlib.crc32(weights or bytes(16)):#010x}u /* IEEE 802.3 */

{begin}

{how}
{end}
#endif
"""
