"""Schema of the JSON beside a transformers model.

It is checked before transformers or anything else relies on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.errors import ModelError
from edgevit.support.shape import (
    Anything,
    Either,
    Flag,
    Listing,
    Null,
    Number,
    Shape,
    ShapeError,
    Table,
    Text,
    WholeNumber,
    require_shape,
)
from edgevit.support.strangers_text import MalformedTextError, read_json

PROCESSOR_FILE = "preprocessor_config.json"
_SIDE = WholeNumber(1, 1 << 16)


def _or_null(*shapes: Shape) -> Either:
    return Either((*shapes, Null()))


def _table(keys: dict[str, Shape]) -> Table:
    return Table(keys, optional=tuple(keys), others=Anything())


_VISION: dict[str, Shape] = {
    "image_size": _or_null(_SIDE, Listing(_SIDE, 2, 2)),
    "num_channels": _or_null(WholeNumber(1, 1 << 12)),
}
_CONFIG = _table(
    {
        **_VISION,
        "model_type": Text(pattern=r"[\w.-]+", rule="a name"),
        "architectures": _or_null(Listing(Text(pattern=r"\w+", rule="the name of a class"))),
        "id2label": _or_null(Table(others=Text())),
        # Names of code on the hub, which transformers fetches and runs.
        "attn_implementation": _or_null(Text(pattern=r"\w+", rule="an attention of transformers")),
        "_attn_implementation": _or_null(Text(pattern=r"\w+", rule="an attention of transformers")),
        "quantization_config": Null(),
        "vision_config": _or_null(_table(_VISION)),
        "backbone_config": _or_null(_table(_VISION)),
    }
)
_NUMBERS = _or_null(Number(-1e6, 1e6), Listing(Number(-1e6, 1e6), 1, 1 << 12))
_SPREADS = _or_null(Number(1e-6, 1e6), Listing(Number(1e-6, 1e6), 1, 1 << 12))
_SIZE = _or_null(_SIDE, Listing(_SIDE, 1, 2), Table(others=_or_null(_SIDE)))
_PROCESSOR = _table(
    {
        "image_mean": _NUMBERS,
        "image_std": _SPREADS,
        "size": _SIZE,
        "crop_size": _SIZE,
        "crop_pct": _or_null(Number(0.05, 2)),
        "resample": _or_null(WholeNumber(0, 5)),
        "rescale_factor": _or_null(Number(1e-6, 1e6)),
        "do_rescale": _or_null(Flag()),
        "do_normalize": _or_null(Flag()),
        "do_center_crop": _or_null(Flag()),
        "do_flip_channel_order": _or_null(Flag()),
    }
)


def require_config(folder: Path) -> None:
    _read(folder / "config.json", _CONFIG)


def require_processor(folder: Path) -> None:
    if (folder / PROCESSOR_FILE).exists():
        _read(folder / PROCESSOR_FILE, _PROCESSOR)


def require_processor_values(values: dict[str, Any], where: str) -> None:
    _require(values, _PROCESSOR, where)


def _read(path: Path, shape: Shape) -> None:
    try:
        values = read_json(path)
    except (OSError, MalformedTextError) as error:
        raise ModelError(
            f"`{path.name}` cannot be read",
            where=str(path),
            why=str(error),
            hint="take the file as its authors published it",
        ) from error
    _require(values, shape, str(path))


def _require(values: Any, shape: Shape, where: str) -> None:
    try:
        require_shape(values, shape)
    except ShapeError as error:
        raise ModelError(
            f"`{Path(where).name}` has an entry that no model is built from",
            where=f"{where}, `{error.at}`" if error.at else where,
            why=error.why,
            hint=error.hint or "take the file as its authors published it, or correct the entry",
        ) from error
