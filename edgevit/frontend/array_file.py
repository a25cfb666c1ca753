"""Arrays from an .npy or .npz.

The size that the header declares is checked against the file's size before memory is allocated.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgevit.support.file_limits import why_no_file, why_unfolds


class NoArraysError(Exception):
    """The reason why a file is not read as arrays."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays by name; the one of an .npy is called "". Raises `NoArraysError`."""
    if why := why_no_file(path):
        raise NoArraysError(why)
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                return _members(file, path.stat().st_size)
            file.seek(0)
            return {"": _array(file, path.stat().st_size)}
    except NoArraysError:
        raise
    except Exception as error:  # zip, deflate and the header's parser have no common base
        raise NoArraysError(f"{type(error).__name__}: {error}"[:400]) from error


def _members(file: IO[bytes], size: int) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        if why := why_unfolds(archive, size):
            raise NoArraysError(why)
        arrays = {}
        for info in archive.infolist():
            with archive.open(info) as member:
                arrays[info.filename.removesuffix(".npy")] = _array(member, info.file_size)
    return arrays


def _array(file: IO[bytes], size: int) -> np.ndarray:
    """Read one array from a file that is `size` bytes as a whole."""
    shape, fortran, dtype = _header(file)
    if dtype.hasobject:
        raise NoArraysError("it holds Python objects, which are not loaded")
    count = math.prod(shape)
    needed, there = count * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or needed > there:
        raise NoArraysError(
            f"{needed:,} bytes of {dtype} {shape} are declared, {there:,} are there"
        )
    flat = np.frombuffer(file.read(needed), dtype, count)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise NoArraysError(
        f"it is of version {version[0]}.{version[1]} of the format, which is for records"
    )
