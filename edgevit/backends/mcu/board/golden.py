"""Golden vectors in C, for the self-test."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from edgevit.backends.mcu.codegen.constants import braced

_ALIGNMENT = 16
_MARK = re.compile(r"@([A-Z_]+)@")


def golden_header(
    template: str,
    inputs: Sequence[np.ndarray],
    calls: Sequence[Sequence[np.ndarray]],
    weights: bytes,
) -> str:
    """Return the header; `calls` are the outputs of each call."""
    outputs = [data for call in calls for data in call]
    crc = 0
    for data in (*inputs, *outputs):
        crc = zlib.crc32(_bytes(data), crc)
    largest = max(data.nbytes for data in outputs)
    values = {
        "INPUTS": len(inputs),
        "OUTPUTS": len(calls[0]),
        "CALLS": len(calls),
        "LARGEST": -(-largest // _ALIGNMENT) * _ALIGNMENT,
        "GOLDEN_CRC": f"{crc:#010x}",
        "WEIGHTS_CRC": f"{zlib.crc32(weights or bytes(16)):#010x}",
    }
    return filled(template, values)


def golden_source(inputs: Sequence[np.ndarray], calls: Sequence[Sequence[np.ndarray]]) -> str:
    outputs = [data for call in calls for data in call]
    parts = [
        '/* Written by edgevit.\n   SPDX-License-Identifier: Apache-2.0 */\n#include "ev_golden.h"\n'
    ]
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for index, data in enumerate(arrays):
            parts.append(
                f"__attribute__((aligned({_ALIGNMENT}))) static const uint8_t {kind}_{index}[{data.nbytes}] = "
                f"{braced(np.frombuffer(_bytes(data), np.uint8))};"
            )
        names = ", ".join(f"{kind}_{index}" for index in range(len(arrays)))
        sizes = ", ".join(f"sizeof {kind}_{index}" for index in range(len(arrays)))
        count = f"[EV_GOLDEN_{kind.upper()}S{' * EV_GOLDEN_CALLS' if kind == 'output' else ''}]"
        parts.append(f"const void *const ev_golden_{kind}s{count} = {{{names}}};")
        parts.append(f"const uint32_t ev_golden_{kind}_bytes{count} = {{{sizes}}};\n")
    return "\n".join(parts)


def filled(template: str, values: dict[str, object]) -> str:
    """Replace every `@NAME@` once; an inserted value is not expanded again."""
    return _MARK.sub(lambda mark: str(values[mark[1]]), template)


def _bytes(data: np.ndarray) -> bytes:
    return np.ascontiguousarray(data).tobytes()
