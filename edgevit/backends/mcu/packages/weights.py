"""Weights alone, for an update in the field: an image with a version, a sum, and the hash of the code that it is for."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from pathlib import Path

from edgevit.backends.mcu.packages.firmware import Firmware, write_filled

HEAD = 96
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def weights(firmware: Firmware, folder: Path, version: int) -> Path:
    data, code = firmware.weights(), code_hash(firmware)
    head = struct.pack("<4s3I64s16x", b"EVW1", version, len(data), zlib.crc32(data), code.encode())
    write_filled(
        "weights/ev_weights_image.h", folder / "ev_weights_image.h", BYTES=len(data), CODE=code
    )
    image = folder / f"{firmware.slug}-weights-{version}.bin"
    image.write_bytes(head + data)
    return image


def code_hash(firmware: Firmware) -> str:
    """Return the hash of the network's own C without comments, which name values and scales."""
    text = (firmware.folder / "edgevit_model.c").read_text()
    return hashlib.sha256(_COMMENT.sub("", text).encode()).hexdigest()
