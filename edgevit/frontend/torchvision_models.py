"""`torchvision:NAME`: classifiers, segmenters, detectors, video nets and optical flow.

A detector is exported up to its head: the tensors of all anchors. Decoding and suppression choose
how many boxes there are, which no artifact of fixed shapes can; they stay in torchvision's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgevit.errors import MissingToolError, ModelError, WeightsError, suggest
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.trial import first_line

_SIZE = {"classification": 224, "segmentation": 520, "video": 112, "optical_flow": 256}
_FRAMES = 16
_HEAD_NOTE = (
    "the tensors of its head are exported: decoding boxes and suppressing doubles are the caller's, "
    "as how many boxes there are depends on the picture"
)


class DetectorHead(nn.Module):
    """A detector up to what its head says of each anchor: of a two-stage one, its proposals' head."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone: Any = detector.backbone
        proposals = getattr(detector, "rpn", None)
        self.head: Any = detector.head if proposals is None else proposals.head

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.backbone(image)
        maps = {"0": features} if isinstance(features, torch.Tensor) else features
        return {**_named("features", maps), **_named("head", self.head(list(maps.values())))}


def takes(spec: str) -> bool:
    return spec.startswith("torchvision:")


def build(request: Request) -> ModelSource:
    models = _models()
    name = request.spec.removeprefix("torchvision:")
    builder = _builder(models, name)
    task = _task(builder)
    stated = models.get_model_weights(name).DEFAULT
    if request.if_at_hand and not _is_cached(stated.url):
        raise WeightsError(
            f"torchvision's weights for `{name}` are not at hand",
            where=f"torchvision:{name}",
            why="they are not in torch's cache",
            hint="--weights pretrained downloads them",
        )
    module = _created(models, name, request.weights == "pretrained")
    transform = module.transform if task == "detection" else stated.transforms()
    size = request.input_size or _native_size(task, transform)
    shape = (request.batch, 3, *size)
    inputs: tuple[torch.Tensor, ...] = (random_images(shape, request.seed),)
    if task == "video":
        frames = random_images((request.batch * 3, _FRAMES, *size), request.seed)
        inputs = (frames.reshape(request.batch, 3, _FRAMES, *size),)
    if task == "optical_flow":
        inputs = (*inputs, random_images(shape, request.seed + 1))
    return ModelSource(
        spec=request.spec,
        name=file_safe(name),
        module=DetectorHead(module) if task == "detection" else module,
        inputs=inputs,
        input_names={"video": ("clip",), "optical_flow": ("image1", "image2")}.get(
            task, ("image",)
        ),
        origin=f"torchvision {_version()}",
        weights="",
        preprocess=_preprocess(transform, size) if len(inputs[0].shape) == 4 else None,
        labels=tuple(stated.meta.get("categories", ())) if task == "classification" else (),
        native_size=_native_size(task, transform),
        notes=(_HEAD_NOTE,) if task == "detection" else (),
    )


def _models() -> Any:
    try:
        from torchvision import models
    except ImportError as error:
        raise MissingToolError(
            "torchvision is not installed",
            why=first_line(error),
            hint="pip install 'edgevit[zoo]'",
        ) from error
    return models


def _is_cached(url: str) -> bool:
    return (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file()


def _version() -> str:
    import torchvision

    return torchvision.__version__


def _builder(models: Any, name: str) -> Any:
    try:
        return models.get_model_builder(name)
    except ValueError as error:
        raise ModelError(
            f"torchvision {_version()} has no model `{name}`",
            where=f"torchvision:{name}",
            why=first_line(error),
            hint=suggest(name, models.list_models()) or "`torchvision.models.list_models()` in Python lists them",
        ) from error  # fmt: skip


def _task(builder: Any) -> str:
    """Return the task that a model is for: the package that its builder lies in."""
    package = builder.__module__.split(".")[2]
    if package == "quantization":
        raise ModelError(
            f"`{builder.__name__}` is quantised already",
            where=f"torchvision:quantized_{builder.__name__}",
            why="torch keeps its weights packed, for its own kernels",
            hint=f"torchvision:{builder.__name__} --precision int8",
        )
    tasks = ("segmentation", "detection", "video", "optical_flow")
    return package if package in tasks else "classification"


def _created(models: Any, name: str, pretrained: bool) -> nn.Module:
    weights: dict[str, Any] = {"weights": "DEFAULT" if pretrained else None}
    try:
        try:
            return models.get_model(name, **weights, weights_backbone=None)
        except (TypeError, ValueError):  # only nets on a backbone have such a keyword
            return models.get_model(name, **weights)
    except Exception as error:
        if pretrained:
            raise WeightsError(
                f"cannot get torchvision's weights for `{name}`",
                where=f"torchvision:{name}",
                why=first_line(error),
                hint="go online once (they are cached), give --weights FILE, or use random",
            ) from error
        raise ModelError(
            f"torchvision cannot build `{name}`",
            where=f"torchvision:{name}",
            why=first_line(error),
            hint="another model of `torchvision.models.list_models()`",
        ) from error


def _native_size(task: str, transform: Any) -> tuple[int, int]:
    if task == "detection":
        fixed = transform.fixed_size
        side = transform.min_size[-1]
        return (fixed[1], fixed[0]) if fixed else (side, side)
    stated = getattr(transform, "crop_size", None)
    side = stated[-1] if stated else _SIZE[task]
    return side, side


def _preprocess(transform: Any, size: tuple[int, int]) -> Preprocess | None:
    mean = getattr(transform, "mean", getattr(transform, "image_mean", None))
    std = getattr(transform, "std", getattr(transform, "image_std", None))
    if mean is None or std is None:
        return None
    crop, resize = getattr(transform, "crop_size", None), getattr(transform, "resize_size", None)
    share = crop[-1] / resize[-1] if crop and resize else 1.0
    way = getattr(transform, "interpolation", None)
    return Preprocess(tuple(mean), tuple(std), size, share, getattr(way, "value", "bilinear"))


def _named(name: str, values: Any) -> dict[str, torch.Tensor]:
    """Return nested tensors under flat names: `head_cls_logits`."""
    if isinstance(values, torch.Tensor):
        return {name: values}
    parts: Mapping[str, Any] = values if isinstance(values, Mapping) else _by_place(values)
    return {k: v for key, part in parts.items() for k, v in _named(f"{name}_{key}", part).items()}


def _by_place(values: Sequence[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values)}


SCHEME = Scheme("torchvision:NAME", takes, build, "random", prefers_pretrained=True)
