"""Element types: MIL's names and codes, how they lie in a weight blob, and how we hold them.

All floats are held as fp32 (every fp16 is one, exactly); small unsigned integers that torch has no
arithmetic for are held in the next wider type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor


@dataclass(frozen=True)
class Element:
    """Element type of MIL.

    `blob` is the code in the blob metadata (coremltools' MILBlob `BlobDataType`).
    """

    name: str
    bits: int
    tensor_dtype: torch.dtype
    raw: DTypeLike = np.uint8
    blob: int | None = None

    def size(self, count: int) -> int:
        """Return the bytes of `count` elements; sub-byte elements are packed without gaps."""
        return (count * self.bits + 7) // 8

    @property
    def is_float(self) -> bool:
        return self.tensor_dtype is torch.float32


ELEMENTS: dict[str, Element] = {
    "FLOAT16": Element("fp16", 16, torch.float32, np.float16, 1),
    "FLOAT32": Element("fp32", 32, torch.float32, np.float32, 2),
    "FLOAT64": Element("fp64", 64, torch.float32, np.float64),
    "BOOL": Element("bool", 8, torch.bool, np.uint8),
    "STRING": Element("string", 0, torch.uint8),
    "INT8": Element("int8", 8, torch.int8, np.int8, 4),
    "INT16": Element("int16", 16, torch.int16, np.int16, 6),
    "INT32": Element("int32", 32, torch.int32, np.int32, 14),
    "INT64": Element("int64", 64, torch.int64, np.int64),
    "UINT8": Element("uint8", 8, torch.uint8, np.uint8, 3),
    "UINT16": Element("uint16", 16, torch.int32, np.uint16, 7),
    "UINT32": Element("uint32", 32, torch.int64, np.uint32, 15),
    "UINT64": Element("uint64", 64, torch.int64, np.uint64),
    "INT4": Element("int4", 4, torch.int8, blob=8),
    "UINT1": Element("uint1", 1, torch.uint8, blob=9),
    "UINT2": Element("uint2", 2, torch.uint8, blob=10),
    "UINT4": Element("uint4", 4, torch.uint8, blob=11),
    "UINT3": Element("uint3", 3, torch.uint8, blob=12),
    "UINT6": Element("uint6", 6, torch.uint8, blob=13),
}

BY_NAME: dict[str, Element] = {element.name: element for element in ELEMENTS.values()}


def decode(data: NDArray[np.uint8], element: Element, count: int) -> Tensor:
    """Decode raw little-endian bytes to a flat tensor of the type that holds the element."""
    if element.bits < 8:
        return torch.from_numpy(unpack_bits(data, element, count))
    raw = data.view(element.raw)[:count]
    if element.name in ("uint16", "uint32", "uint64"):
        raw = raw.astype(np.int64)
    return torch.from_numpy(raw).to(element.tensor_dtype)


def unpack_bits(
    data: NDArray[np.uint8], element: Element, count: int
) -> NDArray[np.uint8 | np.int8]:
    """Unpack elements of 1 to 6 bits, packed from the least significant bit up."""
    bits = np.unpackbits(data, bitorder="little")[: count * element.bits].reshape(
        count, element.bits
    )
    values = (bits << np.arange(element.bits, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    if element.name != "int4":
        return values
    return np.where(values > 7, values.astype(np.int8) - 16, values).astype(np.int8)
