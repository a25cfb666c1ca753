"""Example inputs as text: `pixel_values=1x3x224x224,input_ids=1x77:int64:49408,mask=mask.npy`.

NAME=SHAPE            float32, as random pictures are
NAME=SHAPE:TYPE       another type: integers are 0 or 1
NAME=SHAPE:TYPE:N     integers from 0 to N-1
NAME=FILE.npy         the array in a file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from edgevit.errors import UsageError, suggest
from edgevit.frontend.array_file import NoArraysError, read_arrays
from edgevit.frontend.images import random_images

_OPTION = "--inputs"
_FORM = "--inputs image=1x3x224x224,ids=1x77:int64:49408,mask=1x77:bool,points=points.npy"
_TYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
_NAME = re.compile(r"[A-Za-z_]\w*")
_SHAPE = re.compile(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", re.IGNORECASE)


def read_input_text(text: str, seed: int) -> dict[str, torch.Tensor]:
    """Return the tensors by name. Each input has a seed of its own."""
    inputs: dict[str, torch.Tensor] = {}
    for index, part in enumerate(text.split(",")):
        name, equals, value = part.strip().partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise _refusal(part, "an input is NAME=SHAPE, NAME=SHAPE:TYPE:N or NAME=FILE.npy")
        if name in inputs:
            raise _refusal(part, f"`{name}` is there twice")
        inputs[name] = _from_file(value) if value.endswith(".npy") else _random(value, seed + index)
    return inputs


def stated_inputs(inputs: Mapping[str, torch.Tensor]) -> str:
    """Return the text that describes inputs like these: `image=1x3x224x224,ids=1x77:int64:49408`."""
    return ",".join(f"{name}={_stated(tensor)}" for name, tensor in inputs.items())


def _stated(tensor: torch.Tensor) -> str:
    sizes = "x".join(map(str, tensor.shape))
    if tensor.dtype.is_floating_point:
        return sizes
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{sizes}:{kind}:{int(tensor.max()) + 1}"


def _random(value: str, seed: int) -> torch.Tensor:
    sizes, *rest = value.split(":")
    if not _SHAPE.fullmatch(sizes) or len(rest) > 2:
        raise _refusal(value, "a shape is its sizes: 1x3x224x224, with :TYPE and :N behind it")
    shape = tuple(map(int, sizes.lower().split("x")))
    kind = rest[0] if rest else "float32"
    if kind not in _TYPES:
        raise _refusal(value, f"the types are {', '.join(_TYPES)}", suggest(kind, _TYPES))
    numbers = random_images(shape, seed)  # which also refuses what no memory holds
    dtype = _TYPES[kind]
    if dtype.is_floating_point:
        if len(rest) == 2:
            raise _refusal(value, "N is the number of values of an integer")
        return numbers
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, _count(value, rest, dtype), shape, generator=generator).to(dtype)


def _count(value: str, rest: list[str], dtype: torch.dtype) -> int:
    """Return how many values an integer has."""
    most = 2 if dtype == torch.bool else torch.iinfo(dtype).max + 1
    if len(rest) < 2:
        return 2
    if not rest[1].isdecimal() or not 1 <= int(rest[1][:20]) <= most:
        raise _refusal(value, f"N is a whole number from 1 to {most:,}")
    return int(rest[1])


def _from_file(path: str) -> torch.Tensor:
    try:
        array = read_arrays(Path(path)).get("")
    except NoArraysError as error:
        raise _refusal(path, str(error), "np.save writes such a file") from error
    if array is None:
        raise _refusal(path, "it holds several arrays", "np.save writes one")
    try:
        return torch.from_numpy(array.copy())
    except TypeError as error:
        raise _refusal(path, str(error).partition("\n")[0]) from error


def _refusal(part: str, why: str, hint: str = "") -> UsageError:
    return UsageError(
        f"`{part[:80]}` is no example input", where=_OPTION, why=why, hint=hint or _FORM
    )
