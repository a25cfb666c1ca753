"""Preprocessing of transformers' image processor, as one `(pixel / 255 - mean) / std`.

Read from preprocessor_config.json where there is one, else from the defaults of the architecture's
processor class; the processor itself is never run.

    (pixel * rescale - mean) / std  =  (pixel / 255 - mean/r) / (std/r)      r = 255 * rescale
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from edgevit.frontend.hf_stated import PROCESSOR_FILE, require_processor_values
from edgevit.frontend.hub import hub_access
from edgevit.frontend.source import Preprocess

_DEFAULT_SIZE = (224, 224)
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_KEYS = (
    "image_mean",
    "image_std",
    "size",
    "crop_size",
    "crop_pct",
    "resample",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "do_center_crop",
    "do_flip_channel_order",
)


# A class that states none of these sets them in its constructor, or reads them of a model's own configuration.
_TELLING = ("do_rescale", "do_normalize", "size")


def processor_values(model_types: Sequence[str], source: str) -> dict[str, Any]:
    """Return the processor's values.

    `source` is the folder or hub name of the model, or an architecture. Of `model_types`, the first
    that has a processor gives the defaults.
    """
    stated = _stated(source)
    require_processor_values(stated, f"{source}, {PROCESSOR_FILE}")
    defaults = (values for name in model_types if (values := _defaults_of_class(name)))
    return next(defaults, {}) | stated


def stated_size(values: dict[str, Any]) -> tuple[int, int]:
    """Return the size of the pictures that the processor hands to the model."""
    return _side(values.get("crop_size")) or _side(values.get("size")) or _DEFAULT_SIZE


def preprocess_of(
    values: dict[str, Any], size: tuple[int, int], channels: int
) -> Preprocess | None:
    if not values:
        return None
    mean, std = _normalisation(values, channels)
    return Preprocess(
        mean=mean,
        std=std,
        size=size,
        crop_pct=_crop_pct(values),
        interpolation=_interpolation(values.get("resample")),
        channel_order="bgr" if values.get("do_flip_channel_order") else "rgb",
    )


def _defaults_of_class(model_type: str) -> dict[str, Any]:
    import transformers
    from transformers.models.auto import image_processing_auto

    table: Any = getattr(image_processing_auto, "IMAGE_PROCESSOR_MAPPING_NAMES", {})
    names = table.get(model_type) or {}
    choices = names.values() if isinstance(names, dict) else names
    for name in filter(None, choices):
        processor = getattr(transformers, name, None)
        if processor is not None:
            values = {key: getattr(processor, key, None) for key in _KEYS}
            return values if any(values[key] for key in _TELLING) else {}
    return {}


def _stated(source: str) -> dict[str, Any]:
    """Read preprocessor_config.json of a folder or hub model; empty where there is none."""
    from transformers.models.auto import image_processing_auto

    if "/" not in source and "\\" not in source and source not in (".", ".."):
        return {}
    with contextlib.suppress(Exception), hub_access():
        config = image_processing_auto.get_image_processor_config(source)
        return {key: config[key] for key in _KEYS if config.get(key) is not None}
    return {}


def _normalisation(
    values: dict[str, Any], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    normalised = values.get("do_normalize") and values.get("image_mean") is not None
    mean = _each(values.get("image_mean") if normalised else 0.0, channels)
    std = _each(values.get("image_std") if normalised else 1.0, channels)
    rescale = float(values.get("rescale_factor") or 1 / 255)
    range_ = 255 * (rescale if values.get("do_rescale") else 1.0)
    return tuple(m / range_ for m in mean), tuple(s / range_ for s in std)


def _each(value: Any, channels: int) -> tuple[float, ...]:
    return (
        (float(value),) * channels if isinstance(value, int | float) else tuple(map(float, value))
    )


def _side(size: Any) -> tuple[int, int] | None:
    """Parse height and width from the forms that processors write them in."""
    if isinstance(size, int):
        return (size, size)
    if isinstance(size, list | tuple):
        return (size[0], size[-1])
    if not isinstance(size, dict):
        return None
    if size.get("height") and size.get("width"):
        return (size["height"], size["width"])
    edge = size.get("shortest_edge")
    return (edge, edge) if edge else None


def _interpolation(resample: int | None) -> str:
    return "bilinear" if resample is None else _RESAMPLING.get(int(resample), "bilinear")


def _crop_pct(values: dict[str, Any]) -> float:
    """Return the share of the resized picture's shorter side that the centre crop keeps."""
    if values.get("crop_pct"):
        return float(values["crop_pct"])
    crop, size = _side(values.get("crop_size")), _side(values.get("size"))
    if values.get("do_center_crop") and crop and size:
        return min(1.0, min(crop) / min(size))
    return 1.0
