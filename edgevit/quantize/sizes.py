"""Bytes of rounded weights in a file, against the bits that were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from edgevit.quantize.weights import IntegerWeight, RoundedWeight


@dataclass(frozen=True)
class StoredTensor:
    """One constant of a file."""

    bits: int  # of an element
    bytes: int
    integer: bool


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of the weights in a file; everything else in it is counted apart."""

    weights: int  # numbers
    expected: int  # bytes of so many bits a weight
    integers: int  # bytes of the file's constants that are these weights
    missing: int  # weights without such a constant: they are floats, or shared
    tables: int  # bytes of scales, zero points and tables
    floats: int  # bytes of larger constants that stayed floats

    @property
    def bytes_per_weight(self) -> float:
        return self.integers / (self.weights - self.missing) if self.weights > self.missing else 0.0

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "bytes_per_weight": round(self.bytes_per_weight, 4)}


def weight_bytes(weights: Iterable[RoundedWeight], stored: Iterable[StoredTensor]) -> WeightBytes:
    """Find the weights among the constants of a file, by their sizes."""
    weights, stored = list(weights), list(stored)
    there = Counter(one.bytes for one in stored if one.integer and one.bits <= 8)
    scales = Counter(_scale_count(weight) for weight in weights)
    integers = missing = 0
    for weight in weights:
        size = _size(weight)
        if there[size] > 0:
            there[size] -= 1
            integers += size
        else:
            missing += weight.count
    tables = sum(size * count for size, count in there.items())
    floats = 0
    for one in stored:
        count = one.bytes * 8 // one.bits
        if one.integer and one.bits <= 8:
            continue
        if not one.integer and scales[count] > 0:
            scales[count] -= 1
            tables += one.bytes
        else:
            floats += one.bytes
    return WeightBytes(
        sum(weight.count for weight in weights),
        sum(map(_size, weights)),
        integers,
        missing,
        tables,
        floats,
    )


def _size(weight: RoundedWeight) -> int:
    return (weight.count * weight.bits + 7) // 8


def _scale_count(weight: RoundedWeight) -> int:
    numbers = weight.scales if isinstance(weight, IntegerWeight) else weight.table
    return numbers.numel()
