"""Pictures and arrays that firmware is calibrated on, and that it is run on."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.hostile.case import Case, Room

INSPECT = ("inspect", "zoo:vit-i32-p8-d24-h2-l1", "--target", "qemu-m4", "--calibrate")


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 32)) -> bytes:
    data = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    Image.fromarray(values[..., :3]).convert(mode).save(data, kind)
    return data.getvalue()


def png(width: int, height: int, rows: bytes, depth: int = 8, color: int = 2) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def eps(room: Room) -> bytes:
    command = f"(%pipe%touch {room.canary}) (r) file"
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{command}\n".encode()


def depth_16() -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((32, 32), 300, np.uint16)).save(data, "PNG")
    return data.getvalue()


# name of the file, its content, what is said
PICTURES: dict[str, tuple[str, Callable[[Room], bytes], str]] = {
    "EPS called .png": ("a.png", eps, "none of JPEG, PNG"),
    "EPS called .jpg": ("a.jpg", eps, "none of JPEG, PNG"),
    "PSD called .png": ("a.png", lambda _: b"8BPS\0\1" + bytes(64), "none of JPEG, PNG"),
    "PDF called .png": ("a.png", lambda _: b"%PDF-1.4\n%%EOF", "none of JPEG, PNG"),
    "GIF called .png": ("a.png", lambda _: encoded("GIF"), "none of JPEG, PNG"),
    "SVG called .png": ("a.png", lambda _: b"<svg xmlns='x'/>", "none of JPEG, PNG"),
    "an empty picture": ("a.png", lambda _: b"", "none of JPEG, PNG"),
    "a script called .bmp": ("a.bmp", lambda _: b"#!/bin/sh\ntouch x\n", "none of JPEG, PNG"),
    "PNG of 100,000 x 100,000": ("a.png", lambda _: png(10**5, 10**5, b""), "a.png"),
    "PNG of 12,000 x 12,000": ("a.png", lambda _: png(12_000, 12_000, b""), "a.png"),
    "PNG of 9,000 x 9,000": ("a.png", lambda _: png(9000, 9000, b""), "64,000,000 are the most"),
    "PNG of no size": ("a.png", lambda _: png(0, 7, b""), "a.png"),
    "PNG that is one pixel wide": ("a.png", lambda _: png(1, 10**6, bytes(4 * 10**6)), "narrow"),
    "PNG of 16 bits": ("a.png", lambda _: depth_16(), "more than 8 bits"),
    "TIFF of floats": ("a.tif", lambda _: encoded("TIFF", "F"), "more than 8 bits"),
    "TIFF of 32 bits": ("a.tiff", lambda _: encoded("TIFF", "I"), "more than 8 bits"),
} | {
    f"{kind} cut at {part:.0%}": (f"cut.{suffix}", lambda _, k=kind, p=part: cut(k, p), "cut.")
    for kind, suffix in (("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp"), ("WEBP", "webp"), ("TIFF", "tif"))
    for part in (0.1, 0.6)
}  # fmt: skip


def cut(kind: str, part: float) -> bytes:
    data = encoded(kind)
    return data[: int(len(data) * part)]


def picture(name: str, content: Callable[[Room], bytes]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write(f"pictures/{name}", content(room))
        return [*INSPECT, "pictures"]

    return make


def pipe_in(name: str) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write("pictures/good.png", encoded("PNG"))
        place = room.path / "pictures" / name
        place.parent.mkdir(exist_ok=True)
        os.mkfifo(place)
        return [*INSPECT, "pictures"]

    return make


def device(room: Room) -> list[str]:
    (room.path / "pictures").mkdir()
    (room.path / "pictures" / "a.png").symlink_to("/dev/zero")
    return [*INSPECT, "pictures"]


def link_to_itself(room: Room) -> list[str]:
    (room.path / "pictures").mkdir()
    (room.path / "pictures" / "a.png").symlink_to("a.png")
    return [*INSPECT, "pictures"]


def link_to_above(room: Room) -> list[str]:
    room.write("pictures/a.png", encoded("PNG"))
    room.write("pictures/b.png", encoded("PNG", size=(48, 32)))
    (room.path / "pictures" / "again").symlink_to(".")
    return [*INSPECT, "pictures"]


def good_pictures(room: Room) -> list[str]:
    room.write("pictures/a.webp", encoded("WEBP"))
    room.write("pictures/b.webp", encoded("WEBP", size=(48, 32)))
    return [*INSPECT, "pictures"]


TABLES: dict[str, bytes] = {
    "of bytes": b"file,label\n\xff\xfe,1\n",
    "with NUL": b"file,label\n\0,1\n",
    "that leads out": b"file,label\n../../etc/passwd,1\n",
    "of an absolute path": b"file,label\n/etc/passwd,1\n",
    "of no file": b"file,label\nnone.png,1\n",
    "without a label": b"file,label\na.png,\n",
    "without a header": b"a.png,1\n",
    "that is empty": b"",
    "of one endless cell": b"file,label\n" + b"a" * 300_000 + b",1\n",
}


def table(content: bytes) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write("pictures/a.png", encoded("PNG"))
        room.write("pictures/labels.csv", content)
        return [*INSPECT, "pictures"]

    return make


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def declared(shape: str, descr: str = "'<f4'", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def npz(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def bomb() -> bytes:
    """Zeros, a thousand times as many as there are bytes."""
    data = io.BytesIO()
    with (
        zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(declared("(10922, 3, 32, 32)")))
        for _ in range(8):
            member.write(bytes(16 << 20))
    return data.getvalue()


def objects() -> bytes:
    data = io.BytesIO()
    np.save(data, np.array([{"a": 1}], object), allow_pickle=True)
    return data.getvalue()


def saved(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


GOOD = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32)).astype(np.float32)
ARRAYS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "an npz bomb": ("a.npz", bomb, "unfold to"),
    "an npz that declares more than it has": ("a.npz", lambda: npz({"x.npy": npy(declared(f"({10**12},)"))}), "are declared"),
    "an npz of no arrays": ("a.npz", lambda: npz({}), "no array"),
    "an npz of text": ("a.npz", lambda: npz({"x.npy": b"hello"}), "cannot be read"),
    "an npz cut short": ("a.npz", lambda: npz({"x.npy": saved(GOOD)})[:-30], "cannot be read"),
    "an npz called npy": ("a.npy", lambda: npz({"x.npy": b"\x93NUMPY"}), "cannot be read"),
    "an npy of 4 TB": ("a.npy", lambda: npy(declared(f"({10**12}, 3, 32, 32)")), "are declared"),
    "an npy of a negative size": ("a.npy", lambda: npy(declared("(-4, 3, 32, 32)"), bytes(99999)), "are declared"),
    "an npy of 10^40 rows": ("a.npy", lambda: npy(declared(f"({10**40},)")), "are declared"),
    "an npy of no rows and 10^12 columns": ("a.npy", lambda: npy(declared(f"(0, {10**12})")), "a.npy"),
    "an npy of objects": ("a.npy", objects, "python objects"),
    "an npy of text": ("a.npy", lambda: saved(np.array(["a", "b"])), "no numbers"),
    "an npy of complex numbers": ("a.npy", lambda: saved(GOOD * 1j), "no numbers"),
    "an npy of records": ("a.npy", lambda: saved(np.zeros(3, [("a", "f4")])), "no numbers"),
    "an npy of dates": ("a.npy", lambda: saved(np.zeros(3, "M8[s]")), "no numbers"),
    "an npy of one number": ("a.npy", lambda: saved(np.float32(3)), "no numbers"),
    "an npy with a huge type": ("a.npy", lambda: npy(declared("(2,)", "'S2000000000'")), "are declared"),
    "an npy of an unknown type": ("a.npy", lambda: npy(declared("(2,)", "'zz'")), "cannot be read"),
    "an npy whose header calls": ("a.npy", lambda: npy(declared("(__import__('os').getpid(),)")), "cannot be read"),
    "an npy whose header is deep": ("a.npy", lambda: npy("(" * 5000 + ")" * 5000), "cannot be read"),
    "an npy of version 9": ("a.npy", lambda: npy(declared("(1,)"), version=9), "cannot be read"),
    "an npy of nothing": ("a.npy", lambda: b"", "cannot be read"),
    "an npy of another shape": ("a.npy", lambda: saved(np.zeros((2, 3, 8, 8), np.float32)), "of shape"),
    "an npy with axes of no size": ("a.npy", lambda: saved(np.zeros((2, 0, 8, 8), np.float32)), "of shape"),
    "an npy with NaN": ("a.npy", lambda: saved(GOOD * np.nan), "NaN"),
    "an npy beyond float32": ("a.npy", lambda: saved(GOOD.astype(float) * 1e300), "infinite"),
    "an npy of no rows": ("a.npy", lambda: saved(GOOD[:0]), "nothing to calibrate on"),
}  # fmt: skip


def array(name: str, content: Callable[[], bytes]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write(name, content())
        return [*INSPECT, name]

    return make


def array_to_simulate(content: Callable[[], bytes]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        room.write("x.npy", content())
        return ["simulate", str(room.exported("mcu")), "--input", "x.npy"]

    return make


def pipe_called(name: str, before: tuple[str, ...]) -> Callable[[Room], list[str]]:
    def make(room: Room) -> list[str]:
        os.mkfifo(room.path / name)
        return [*before, name]

    return make


def simulate_a_pipe(room: Room) -> list[str]:
    os.mkfifo(room.path / "x.npy")
    return ["simulate", str(room.exported("mcu")), "--input", "x.npy"]


SIMULATED = ("an npz bomb", "an npy of 4 TB", "an npy of objects", "an npy of text", "an npy of complex numbers", "an npy of records", "an npy of nothing", "an npy beyond float32", "an npy with NaN", "an npy of another shape")  # fmt: skip
CASES = (
    *(Case(f"calibration: {n}", picture(f, c), s, 16) for n, (f, c, s) in PICTURES.items()),
    Case("calibration: a pipe among pictures", pipe_in("z.png"), "a pipe", 16),
    Case("calibration: a pipe in a folder below", pipe_in("below/z.jpg"), "a pipe", 16),
    Case("calibration: /dev/zero called .png", device, "a device", 16),
    Case("calibration: a link to itself", link_to_itself, "a.png", 16),
    Case("calibration: a link to its own folder", link_to_above, passes=True),
    Case("calibration: a pipe called .npy", pipe_called("x.npy", INSPECT), "a pipe", 16),
    Case("calibration: a pipe", pipe_called("x", INSPECT), "a pipe", 16),
    *(Case(f"calibration: {n}", array(f, c), s, 16) for n, (f, c, s) in ARRAYS.items()),
    *(Case(f"simulate: {n}", array_to_simulate(ARRAYS[n][1]), "", 2) for n in SIMULATED),
    Case("simulate: a pipe", simulate_a_pipe, "a pipe", 2),
    Case("calibration: good pictures", good_pictures, passes=True),
    Case("calibration: one picture", picture("a.webp", lambda _: encoded("WEBP")), "too few", 16),
    *(Case(f"calibration: labels.csv {n}", table(t), "labels.csv", 16) for n, t in TABLES.items()),
    Case("calibration: a good array", array("a.npy", lambda: saved(GOOD)), passes=True),
)
