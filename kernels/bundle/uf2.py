# SPDX-License-Identifier: Apache-2.0
"""Write a UF2 file of an image: 256 bytes a block, which a boot ROM's drive writes to flash. Written by edgevit.

python3 uf2.py IMAGE.bin ADDRESS FAMILY OUTPUT.uf2
"""

import struct
import sys
from pathlib import Path

PAYLOAD = 256
HAS_FAMILY = 0x2000


def blocks(image: bytes, address: int, family: int) -> bytes:
    """Return the blocks, 512 bytes each, the last one filled up with zeros."""
    count = -(-len(image) // PAYLOAD)
    written = b""
    for number in range(count):
        data = image[number * PAYLOAD :][:PAYLOAD].ljust(PAYLOAD, b"\0")
        place = address + number * PAYLOAD
        head = struct.pack(
            "<8I", 0x0A324655, 0x9E5D5157, HAS_FAMILY, place, PAYLOAD, number, count, family
        )
        written += head + data.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)
    return written


if __name__ == "__main__":
    source, address, family, output = sys.argv[1:]
    Path(output).write_bytes(blocks(Path(source).read_bytes(), int(address, 0), int(family, 0)))
