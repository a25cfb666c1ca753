"""`zoo:FAMILY-KNOBS`: nets for microcontrollers, by their sizes: `zoo:vit-i64-p8-d96-h3-l6`, `zoo:kws`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgevit import __version__
from edgevit.errors import ModelError, suggest
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.zoo.hybrid import Hybrid, HybridSizes
from edgevit.frontend.zoo.mlperf_tiny import (
    AnomalyNet,
    AnomalySizes,
    KeywordNet,
    KeywordSizes,
    Resnet8,
    Resnet8Sizes,
    WakeWordNet,
    WakeWordSizes,
)
from edgevit.frontend.zoo.vit import Vit, VitSizes


@dataclass(frozen=True)
class Family:
    """Nets of one kind. `knobs` has the field that each letter of a spec sets."""

    sizes: type[Any]
    build: Callable[[Any], torch.nn.Module]
    knobs: Mapping[str, str]
    shape: Callable[[Any], tuple[int, ...]]  # of one input
    preprocess: Preprocess | None  # its size is replaced by the input's
    input_name: str = "image"


def _image(sizes: Any) -> tuple[int, ...]:
    return (3, sizes.image, sizes.image)


_CENTRED = Preprocess((0.5,) * 3, (0.5,) * 3, (0, 0))

FAMILIES = {
    "vit": Family(
        VitSizes,
        Vit,
        {
            "i": "image",
            "p": "patch",
            "d": "width",
            "h": "heads",
            "l": "layers",
            "m": "ratio",
            "r": "rank",
            "c": "classes",
        },
        _image,
        _CENTRED,
    ),
    "hybrid": Family(
        HybridSizes,
        Hybrid,
        {"i": "image", "d": "width", "l": "layers", "k": "key", "c": "classes"},
        _image,
        _CENTRED,
    ),
    "kws": Family(
        KeywordSizes,
        KeywordNet,
        {"d": "width", "c": "classes"},
        lambda sizes: (1, 49, 10),
        None,
        "features",
    ),
    "ad": Family(
        AnomalySizes,
        AnomalyNet,
        {"f": "features", "d": "width", "k": "code"},
        lambda sizes: (sizes.features,),
        None,
        "features",
    ),
    # 0-255 as they are, as published
    "resnet8": Family(
        Resnet8Sizes,
        Resnet8,
        {"i": "image", "c": "classes"},
        _image,
        Preprocess((0.0,) * 3, (1 / 255,) * 3, (0, 0)),
    ),
    "vww": Family(
        WakeWordSizes,
        WakeWordNet,
        {"i": "image", "c": "classes"},
        _image,
        Preprocess((0.0,) * 3, (1.0,) * 3, (0, 0)),
    ),
}


def takes(spec: str) -> bool:
    return spec.startswith("zoo:")


def build(request: Request) -> ModelSource:
    name = request.spec.removeprefix("zoo:")
    word, *knobs = name.split("-")
    if word not in FAMILIES:
        raise ModelError(
            f"the zoo has no family `{word}`", hint=suggest(word, FAMILIES) + "  e.g. zoo:vit-i64-p8"
        )  # fmt: skip
    family = FAMILIES[word]
    settings = dict(_setting(knob, family, word) for knob in knobs)
    if request.input_size is not None:
        settings["image"] = _square(request.input_size, family, word)
    sizes = family.sizes(**settings)
    _check(sizes)
    shape = family.shape(sizes)
    rows, columns = shape[-2:] if family.preprocess else (0, 0)
    return ModelSource(
        spec=request.spec,
        name=file_safe(name),
        module=family.build(sizes),
        inputs=(random_images((request.batch, *shape), request.seed),),
        input_names=(family.input_name,),
        origin=f"edgevit {__version__}, {word}",
        weights="",
        preprocess=replace(family.preprocess, size=(rows, columns)) if family.preprocess else None,
        native_size=(rows, columns) if family.preprocess else None,
    )


def _setting(knob: str, family: Family, word: str) -> tuple[str, int]:
    match = re.fullmatch(r"([a-z])(\d+)", knob)
    if not match or match[1] not in family.knobs:
        meant = ", ".join(f"{letter}N {field}" for letter, field in family.knobs.items())
        raise ModelError(f"`{knob}` is no size of a {word}", hint=meant)
    return family.knobs[match[1]], int(match[2])


def _square(size: tuple[int, int], family: Family, word: str) -> int:
    if "image" not in family.knobs.values():
        raise ModelError(f"a {word} has one size of input", hint="leave --input-size out")
    if size[0] != size[1]:
        raise ModelError("the zoo's nets take square images", hint=f"--input-size {min(size)}")
    return size[0]


def _check(sizes: Any) -> None:
    """Refuse sizes that would fail deep in the model or silently go wrong."""
    if min(v for k, v in vars(sizes).items() if k != "rank") < 1:
        raise ModelError("every size but the rank is at least 1", why=str(sizes))
    if isinstance(sizes, VitSizes):
        if sizes.image % sizes.patch:
            raise ModelError(f"{sizes.image} pixels are no whole number of patches of {sizes.patch}")  # fmt: skip
        if sizes.width % sizes.heads:
            raise ModelError(f"a width of {sizes.width} is not shared evenly by {sizes.heads} heads")  # fmt: skip
    elif isinstance(sizes, HybridSizes) and sizes.width % 8:
        raise ModelError(f"a width of {sizes.width} is no multiple of 8")


SCHEME = Scheme("zoo:FAMILY-SIZES", takes, build, "random")
