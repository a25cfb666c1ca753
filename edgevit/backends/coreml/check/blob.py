"""Weight blobs: our own reader of MIL blob storage, version 2.

    file       64-byte header (u32 count, u32 version, reserved), then metadata and data, each 64-aligned
    metadata   u32 sentinel, u32 element code, u64 size in bytes, u64 data offset, u64 padding bits, reserved

An operation points at the metadata. Reading the file ourselves, not through the writer's library,
is what makes a packaging mistake visible.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from edgevit.backends.coreml.check.element import Element, decode
from edgevit.backends.coreml.check.messages import HINT
from edgevit.errors import PackageError
from edgevit.support.file_limits import why_no_file

HEADER = 64
VERSION = 2
SENTINEL = 0xDEADBEEF


class WeightFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        if why := why_no_file(path):
            raise self._broken("the package has no readable weight file", why)
        try:
            self.data = np.fromfile(path, dtype=np.uint8)
        except OSError as error:
            raise self._broken("the package has no readable weight file", str(error)) from error
        if self.data.size < HEADER:
            raise self._broken(
                "the weight file is truncated", f"{self.data.size} bytes, its header has {HEADER}"
            )
        version = int(self.data[4:8].view(np.uint32)[0])
        if version != VERSION:
            raise self._broken(
                "the weight file has an unknown version", f"version {version}, we read {VERSION}"
            )

    def read(self, offset: int, element: Element, count: int, name: str) -> Tensor:
        """Return the blob whose metadata is at `offset`, as a flat tensor of `count` elements."""
        start, size = self._locate(offset, element, name)
        if size != element.size(count):
            why = f"{size} bytes stored, {count} elements of {element.name} take {element.size(count)}"
            raise self._broken(f"the weights of `{name}` have the wrong size", why)
        if start + size > self.data.size:
            why = f"its data ends at byte {start + size}, the file at {self.data.size}"
            raise self._broken(f"the weights of `{name}` are truncated", why)
        return decode(self.data[start : start + size], element, count)

    def elements(self) -> list[tuple[int, int]]:
        """List the code and the bytes of every blob, in the order of the file."""
        blobs: list[tuple[int, int]] = []
        offset = HEADER
        while offset + 64 <= self.data.size:
            sentinel, code = (int(n) for n in self.data[offset : offset + 8].view(np.uint32))
            if sentinel != SENTINEL:
                break
            size, start = (int(n) for n in self.data[offset + 8 : offset + 24].view(np.uint64))
            blobs.append((code, size))
            offset = -(-(start + size) // 64) * 64
        return blobs

    def _locate(self, offset: int, element: Element, name: str) -> tuple[int, int]:
        meta = self.data[offset : offset + 64]
        if offset % 64 or meta.size < 64:
            why = f"metadata at byte {offset} of a file of {self.data.size}"
            raise self._broken(f"the weights of `{name}` are truncated", why)
        sentinel, code = (int(n) for n in meta[:8].view(np.uint32))
        if sentinel != SENTINEL:
            why = f"no blob at byte {offset}: found {sentinel:#010x} instead of {SENTINEL:#010x}"
            raise self._broken(
                f"the weights of `{name}` are not at the offset that the program names", why
            )
        if code != element.blob:
            why = (
                f"the program says {element.name} (code {element.blob}), the blob says code {code}"
            )
            raise self._broken(f"the weights of `{name}` have the wrong type", why)
        size, start = (int(n) for n in meta[8:24].view(np.uint64))
        return start, size

    def _broken(self, message: str, why: str) -> PackageError:
        return PackageError(message, where=str(self.path), why=why, hint=HINT)
