"""Strings of an MLIR bytecode file, read and replaced.

A file is a magic number, a version, the producer's name and sections. Each section is its kind, its length and its
bytes. The strings of all sections stand in one of them, and the others refer to them by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MAGIC = b"ML\xefR"
_STRINGS = 0  # kind of the section
_ALIGNED = 0x80  # flag of the kind: an alignment and padding follow the length
_PADDING = 0xCB


@dataclass(frozen=True)
class _Section:
    kind: int
    start: int  # of its first byte in the file, which is its kind
    body: int  # of its contents
    end: int


def with_strings(data: bytes, renamed: Callable[[bytes], bytes]) -> bytes:
    """Return the file with each string replaced. A section behind them may have no alignment."""
    sections = list(_sections(data))
    place = next(k for k, section in enumerate(sections) if section.kind == _STRINGS)
    if any(section.kind & _ALIGNED for section in sections[place + 1 :]):
        raise ValueError("a section behind the strings is aligned")
    strings = sections[place]
    body = _written([renamed(text) for text in _read(data[strings.body : strings.end])])
    head = bytes([_STRINGS]) + _varint(len(body))
    return data[: strings.start] + head + body + data[strings.end :]


def _sections(data: bytes) -> Iterator[_Section]:
    if not data.startswith(_MAGIC):
        raise ValueError("it is no MLIR bytecode")
    _, at = _number(data, len(_MAGIC))
    at = data.index(0, at) + 1  # the producer's name ends in a zero
    while at < len(data):
        kind, start = data[at], at
        length, at = _number(data, at + 1)
        if kind & _ALIGNED:
            _, at = _number(data, at)
            while data[at] == _PADDING:
                at += 1
        yield _Section(kind, start, at, at + length)
        at += length


def _read(body: bytes) -> list[bytes]:
    """Return the strings. Their lengths stand before them, from the last to the first."""
    count, at = _number(body, 0)
    lengths = []
    for _ in range(count):
        length, at = _number(body, at)
        lengths.append(length)
    texts = []
    for length in reversed(lengths):
        texts.append(body[at : at + length - 1])  # without its zero
        at += length
    return texts


def _written(texts: list[bytes]) -> bytes:
    lengths = b"".join(_varint(len(text) + 1) for text in reversed(texts))
    return _varint(len(texts)) + lengths + b"".join(text + b"\0" for text in texts)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it.

    The zeros below the lowest bit that is set tell how many bytes follow the first.
    """
    first = data[at]
    if first == 0:
        return int.from_bytes(data[at + 1 : at + 9], "little"), at + 9
    extra = (first & -first).bit_length() - 1
    word = int.from_bytes(data[at : at + extra + 1], "little")
    return word >> (extra + 1), at + extra + 1


def _varint(number: int) -> bytes:
    for extra in range(8):
        if number < 1 << 7 * (extra + 1):
            return ((number << (extra + 1)) | (1 << extra)).to_bytes(extra + 1, "little")
    return b"\0" + number.to_bytes(8, "little")
