"""Operations on the bits of integers with a known number, in sums and quotients.

    x & 12   =  (x // 4 mod 4) * 4                 a term for each run of ones
    x & ~3   =  x - (x & 3)
    x | k    =  x + k - (x & k)
    x ^ k    =  x + k - 2 (x & k)
    ~x       =  -1 - x
    x << n   =  x * 2^n
    x >> n   =  x // 2^n

They hold for negative numbers too, which are stored as two's complements. Bytes are computed as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

MOST_BITS = 30  # what is beyond has no power of two in int32
NARROW = (torch.int8, torch.uint8, torch.int16)

Function = Callable[..., Tensor]


def _common(x: Tensor, number: int) -> Tensor:
    if number < 0:
        return x - _common(x, ~number)
    total = torch.zeros_like(x)
    for first, end in _runs(number):
        shifted = torch.floor_divide(x, 2**first) if first else x
        part = torch.remainder(shifted, 2 ** (end - first)) * 2**first
        total = part if first == _lowest(number) else total + part
    return total


def _runs(number: int) -> Iterator[tuple[int, int]]:
    """Yield the first bit and the end of each run of ones."""
    first = 0
    while number >> first:
        first = first + _lowest(number >> first)
        end = first + _lowest(~(number >> first))
        yield first, end
        first = end


def _lowest(number: int) -> int:
    return (number & -number).bit_length() - 1


def _as_integers(formula: Callable[[Tensor, int], Tensor]) -> Function:
    def function(x: Tensor, number: int = 0) -> Tensor:
        if x.dtype in NARROW:
            return formula(x.to(torch.int32), number).to(x.dtype)
        return formula(x, number)

    return function


def _either(x: Tensor, number: int) -> Tensor:
    return x + number - _common(x, number)


def _one_of(x: Tensor, number: int) -> Tensor:
    return x + number - _common(x, number) * 2


def _inverted(x: Tensor, _: int) -> Tensor:
    return -1 - x


def _shifted_left(x: Tensor, by: int) -> Tensor:
    return x * 2**by


def _shifted_right(x: Tensor, by: int) -> Tensor:
    return torch.floor_divide(x, 2**by)


_AND, _OR, _XOR = map(_as_integers, (_common, _either, _one_of))
_LEFT, _RIGHT = map(_as_integers, (_shifted_left, _shifted_right))

BITS: dict[str, Function] = {
    "__and__.Scalar": _AND,
    "__lshift__.Scalar": _LEFT,
    "__or__.Scalar": _OR,
    "__rshift__.Scalar": _RIGHT,
    "__xor__.Scalar": _XOR,
    "bitwise_and.Scalar": _AND,
    "bitwise_left_shift.Tensor_Scalar": _LEFT,
    "bitwise_not": _as_integers(_inverted),
    "bitwise_or.Scalar": _OR,
    "bitwise_right_shift.Tensor_Scalar": _RIGHT,
    "bitwise_xor.Scalar": _XOR,
}


def is_of_few_bits(dtype: torch.dtype, numbers: tuple[Any, ...]) -> bool:
    """Return whether the equations hold: for integers, and numbers whose powers of two int32 has."""
    if dtype == torch.bool or dtype.is_floating_point:
        return False
    return all(isinstance(k, int) and max(k, ~k).bit_length() <= MOST_BITS for k in numbers)
