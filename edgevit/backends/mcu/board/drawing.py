"""Rectangles and short texts as SVG and as PNG, without a library, for the memory map."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_GLYPH = 4, 6  # dots of a letter, with the space after and below it
# Five rows of three dots each, from the top; lower case is drawn as upper case.
_FONT = {
    letter: tuple(int(row, 8) for row in rows)
    for letter, rows in {
        "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71122",
        "8": "75757", "9": "75717", "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
        "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
        "O": "25552", "P": "65644", "Q": "25561", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552",
        "W": "55775", "X": "55255", "Y": "55222", "Z": "71247", ".": "00002", ",": "00024", "-": "00700", "_": "00007",
        ":": "02020", "/": "11244", "(": "12221", ")": "42224", "+": "02720", "%": "51245", "=": "07070",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    width: float
    height: float
    fill: tuple[int, int, int]
    title: str = ""  # shown where the pointer rests


@dataclass(frozen=True)
class Label:
    """Text label, vertically centred at `middle`; it begins, ends, or has its middle at `x`."""

    x: float
    middle: float
    text: str
    anchor: str = "start"  # | "middle" | "end"


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    boxes: Sequence[Box]
    labels: Sequence[Label]

    def svg(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="sans-serif" font-size="12">',
            f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>',
            *(_svg_box(box) for box in self.boxes),
            *(
                f'<text x="{label.x:g}" y="{label.middle + 4:g}" text-anchor="{label.anchor}">{escape(label.text)}</text>'
                for label in self.labels
            ),
            "</svg>\n",
        ]
        return "\n".join(parts)

    def png(self, scale: int = 2) -> bytes:
        dots = np.full((self.height * scale, self.width * scale, 3), 255, np.uint8)
        for box in self.boxes:
            edges = (box.top, box.top + box.height, box.left, box.left + box.width)
            top, bottom, left, right = (round(edge * scale) for edge in edges)
            dots[top : max(bottom, top + 1), left : max(right, left + 1)] = box.fill
        for label in self.labels:
            _write(dots, label, scale)
        height, width, _ = dots.shape
        lines = np.concatenate([np.zeros((height, 1), np.uint8), dots.reshape(height, -1)], axis=1)
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _svg_box(box: Box) -> str:
    shape = (
        f'<rect x="{box.left:.2f}" y="{box.top:.2f}" width="{box.width:.2f}" height="{box.height:.2f}" '
        f'fill="#{box.fill[0]:02x}{box.fill[1]:02x}{box.fill[2]:02x}"'
    )
    return f"{shape}><title>{escape(box.title)}</title></rect>" if box.title else f"{shape}/>"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write(dots: np.ndarray, label: Label, scale: int) -> None:
    dot = scale + scale // 2
    wide, high = (size * dot for size in _GLYPH)
    whole = wide * len(label.text)
    left = round(label.x * scale) - {"start": 0, "middle": whole // 2, "end": whole}[label.anchor]
    top = round(label.middle * scale) - high // 2
    for letter in label.text.upper():
        for row, bits in enumerate(_FONT.get(letter, (0,) * 5)):
            for column in range(3):
                if bits >> (2 - column) & 1:
                    y, x = top + row * dot, left + column * dot
                    dots[max(y, 0) : y + dot, max(x, 0) : x + dot] = 0
        left += wide
