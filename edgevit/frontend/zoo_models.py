"""`zoo:FAMILY-KNOBS`: nets for microcontrollers, by their sizes, and nets of papers, by their names:
`zoo:vit-i64-p8-d96-h3-l6`, `zoo:kws`, `zoo:mobilevig-ti-i96`.
"""

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
from edgevit.frontend.zoo.papers import PAPERS, Paper
from edgevit.frontend.zoo.vit import Vit, VitSizes


@dataclass(frozen=True)
class Family:
    """Nets of one kind. `knobs` has the field that each letter of a spec sets."""

    sizes: Callable[..., Any]
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


@dataclass(frozen=True)
class PaperSizes:
    image: int
    classes: int


_SIDE = 32  # pixels of a paper's net that its last stage has one place for
_IMAGENET = Preprocess((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (0, 0), crop_pct=0.9)


def _of_paper(paper: Paper, size: str) -> Family:
    return Family(
        lambda image=paper.image, classes=1000: PaperSizes(image, classes),
        lambda sizes: paper.build(paper.sizes[size], sizes.image, sizes.classes),
        {"i": "image", "c": "classes"},
        _image,
        _IMAGENET,
    )


_OWN = tuple(FAMILIES)
FAMILIES |= {
    f"{name}-{size}": _of_paper(paper, size)
    for name, paper in PAPERS.items()
    for size in paper.sizes
}


def takes(spec: str) -> bool:
    return spec.startswith("zoo:")


def build(request: Request) -> ModelSource:
    name = request.spec.removeprefix("zoo:")
    word, knobs = _family(name)
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


def _family(name: str) -> tuple[str, list[str]]:
    """Return the family that a spec begins with, and its knobs: `van-b0-i96` has one."""
    words = name.split("-")
    for end in (2, 1):
        word = "-".join(words[:end])
        if word in FAMILIES:
            return word, words[end:]
    near = suggest("-".join(words[:2]), FAMILIES) or suggest(words[0], FAMILIES)
    sizes = [family for family in FAMILIES if family.startswith(f"{words[0]}-")]
    raise ModelError(
        f"the zoo has no family `{words[0]}`" if not sizes else f"the zoo has no size of {words[0]} of this name",
        where=f"zoo:{name}",
        hint=", ".join(f"zoo:{one}" for one in sizes) or near or f"one of {_names()}, e.g. zoo:vit-i64-p8",
    )  # fmt: skip


def _names() -> str:
    """List the families, those of papers without their sizes."""
    return ", ".join(f"`{name}`" for name in (*_OWN, *PAPERS))


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
    elif isinstance(sizes, PaperSizes) and sizes.image % _SIDE:
        raise ModelError(
            f"{sizes.image} pixels are no multiple of {_SIDE}",
            why="the net halves its input five times, and pairs rows and columns where it does",
            hint=f"--input-size {max(_SIDE, round(sizes.image / _SIDE) * _SIDE)}",
        )
    elif isinstance(sizes, HybridSizes) and sizes.width % 8:
        raise ModelError(f"a width of {sizes.width} is no multiple of 8")


SCHEME = Scheme("zoo:FAMILY-SIZES", takes, build, "random")
