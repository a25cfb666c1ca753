"""`timm:NAME`, with the data config, input size and ImageNet labels that timm states for it.

`timm:NAME?features_only` is its feature pyramid, as detectors and segmenters read it.
"""

from __future__ import annotations

from typing import Any

import torch

from edgevit.errors import MissingToolError, ModelError, WeightsError, suggest
from edgevit.frontend.hub import OFFLINE, hub_access, may_have
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe, show_size
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.trial import first_line

_FEATURES = "features_only"
_ON_HUB = ("hf-hub:", "hf_hub:", "local-dir:")


def takes(spec: str) -> bool:
    return spec.startswith("timm:")


def build(request: Request) -> ModelSource:
    timm = _timm()
    name, question, option = request.spec.removeprefix("timm:").partition("?")
    if question and option != _FEATURES:
        raise _no_option(name, option)
    pretrained = request.weights == "pretrained"
    _check_name(timm, name, pretrained)
    if request.if_at_hand and not may_have(name.partition(".")[0].rpartition(":")[2]):
        raise WeightsError(f"timm's weights for `{name}` are not at hand", why=OFFLINE)
    module = _create(timm, name, pretrained, request.input_size, bool(question))
    config = timm.data.resolve_model_data_config(module)
    channels, *native = config["input_size"]
    size = request.input_size or (native[0], native[1])
    _check_patches(module, name, size)
    return ModelSource(
        spec=request.spec,
        name=file_safe(name.rpartition("/")[2].rpartition(":")[2])
        + ("-features" if question else ""),
        module=module,
        inputs=(random_images((request.batch, channels, *size), request.seed),),
        input_names=("image",),
        output_names=_places(module) if question else (),
        origin=f"timm {timm.__version__}",
        weights="",
        preprocess=Preprocess(
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            size=size,
            crop_pct=float(config["crop_pct"]),
            interpolation=config["interpolation"],
        ),
        labels=() if question else _labels(timm, module),
        native_size=(native[0], native[1]),
    )


def _places(module: Any) -> tuple[str, ...]:
    """Return the names of the layers that features are read from, as names of outputs."""
    return tuple(name.replace(".", "_") for name in module.feature_info.module_name())


def _no_option(name: str, option: str) -> ModelError:
    return ModelError(
        f"`?{option}` is no option of a timm model",
        where=f"timm:{name}?{option}",
        why=f"it is read as a whole, or up to its features with ?{_FEATURES}",
        hint=f"timm:{name}?{_FEATURES}",
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MissingToolError(
            "timm is not installed",
            why=first_line(error),
            hint="pip install 'edgevit[zoo]'",
        ) from error
    return timm


def _check_name(timm: Any, name: str, pretrained: bool) -> None:
    if name.startswith(_ON_HUB):
        return
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        raise ModelError(
            f"timm {timm.__version__} has no model `{name}`",
            hint=_nearest(base, timm.list_models()),
        )
    tags = [t.partition(".")[2] for t in timm.list_models(f"{base}.*", pretrained=True)]
    if tag and tag not in tags:
        raise ModelError(
            f"timm's `{base}` has no weights tagged `{tag}`",
            hint=suggest(tag, tags) or f"one of {', '.join(tags[:8])}" if tags else f"timm:{base}",
        )
    if pretrained and not tags:
        raise WeightsError(
            f"timm has no pretrained weights for `{base}`", hint="--weights FILE, or random"
        )


def _nearest(name: str, models: list[str]) -> str:
    """Return a hint: the models that begin with the name, else those that are alike."""
    longer = sorted((m for m in models if name and m.startswith(name)), key=lambda m: (len(m), m))
    if longer:
        return "did you mean " + " or ".join(f"`{m}`" for m in longer[:3]) + "?"
    return suggest(name, models) or "`timm.list_models()` in Python lists them"


def _create(
    timm: Any, name: str, pretrained: bool, size: tuple[int, int] | None, features: bool
) -> torch.nn.Module:
    options: dict[str, Any] = {_FEATURES: True} if features else {}
    if size is not None and _native_size(timm, name) != size:
        options["img_size"] = size
    try:
        with hub_access():
            return _create_with_or_without_size(timm, name, pretrained, options)
    except Exception as error:
        if pretrained or name.startswith(_ON_HUB):
            raise WeightsError(
                f"cannot get timm's weights for `{name}`",
                why=first_line(error),
                hint="go online once (they are cached), give --weights FILE, or use random",
            ) from error
        raise ModelError(f"timm cannot build `{name}`", why=first_line(error)) from error


def _create_with_or_without_size(
    timm: Any, name: str, pretrained: bool, options: dict[str, Any]
) -> torch.nn.Module:
    """Create the model, and again without `img_size` if it refuses that.

    Models with position tables are built for a size; most take any.
    """
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except TypeError as error:
        if "img_size" not in options or "img_size" not in str(error):
            raise
        del options["img_size"]
        return timm.create_model(name, pretrained=pretrained, **options)


def _native_size(timm: Any, name: str) -> tuple[int, int] | None:
    config = None if name.startswith(_ON_HUB) else timm.models.get_pretrained_cfg(name)
    return None if config is None else tuple(config.input_size[1:])


def _check_patches(module: torch.nn.Module, name: str, size: tuple[int, int]) -> None:
    """Refuse a size that is no multiple of the patch: a patch embedding silently drops the last
    rows and columns.
    """
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", None)
    if not isinstance(patch, tuple) or all(n % p == 0 for n, p in zip(size, patch, strict=True)):
        return
    good = tuple(max(p, round(n / p) * p) for n, p in zip(size, patch, strict=True))
    raise ModelError(
        f"`{name}` does not take an input of {show_size(size)}",
        where="patch_embed",
        why=f"it cuts the image into {patch[0]}x{patch[1]} patches and {show_size(size)} "
        "is not a multiple of that",
        hint=f"--input-size {show_size(good)}",
    )


def _labels(timm: Any, module: torch.nn.Module) -> tuple[str, ...]:
    subset = timm.data.infer_imagenet_subset(module)
    if not subset:
        return ()
    info = timm.data.ImageNetInfo(subset)
    if info.num_classes() != getattr(module, "num_classes", None):
        return ()
    return tuple(info.index_to_description(i) for i in range(info.num_classes()))


SCHEME = Scheme("timm:NAME", takes, build, "random", prefers_pretrained=True)
