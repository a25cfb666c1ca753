"""Source of a module: its inputs, and what it states about itself.

A module may say what it takes: `example_inputs`, or `input_size`; what it says in `preprocess` and
`labels` is used too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError, UsageError
from edgevit.frontend.images import random_images
from edgevit.frontend.live.inputs import ExampleInputs, Structured, read_inputs
from edgevit.frontend.request import Request, file_safe
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.trial import first_line

_DEFAULT_SIZE = (224, 224)


def module_source(
    module: nn.Module,
    example: object,
    request: Request,
    origin: str,
    function: Callable[..., object] | None = None,
) -> ModelSource:
    """Return the source of a module with flat tensors as its inputs.

    `function` states the parameters; None: the module's forward.
    """
    read = _inputs(module, example, request, function or module.forward)
    flat = read.by_position
    return ModelSource(
        spec=request.spec,
        name=file_safe(type(module).__name__),  # Xcode names the Swift class after the file
        module=module if flat else Structured(module, read.structure),
        inputs=read.tensors,
        input_names=read.names,
        origin=origin,
        weights="as built",
        preprocess=_preprocess(module, read.tensors[0]),
        labels=_labels(module),
        structure=read.structure,
    )


def module_and_example(returned: object, spec: str) -> tuple[nn.Module, object]:
    """Return what a callable built: a module, or a module and its example inputs."""
    if isinstance(returned, nn.Module):
        return returned, None
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], nn.Module):
        return returned[0], returned[1]
    raise ModelError(
        f"`{spec}` gives no model",
        where=spec,
        why=f"it returned {_describe(returned)}",
        hint="return an nn.Module, or (module, example_inputs)",
    )


def _describe(returned: object) -> str:
    if isinstance(returned, tuple):
        return "a tuple of " + ", ".join(type(x).__name__ for x in returned)
    return "None" if returned is None else f"a {type(returned).__name__}"


def _inputs(
    module: nn.Module, example: object, request: Request, function: Callable[..., object]
) -> ExampleInputs:
    if example is None and (stated := getattr(module, "example_inputs", None)) is not None:
        example = stated() if callable(stated) else stated
    if example is None and request.example is not None:
        return read_inputs(request.example, function, request.spec)
    if example is None:
        channels, size = _stated_size(module)
        shape = (request.batch, channels, *(request.input_size or size))
        return read_inputs(random_images(shape, request.seed), function, request.spec)
    read = read_inputs(example, function, request.spec)
    return ExampleInputs(fitted(read.tensors, request), read.names, read.structure)


def fitted(example: tuple[torch.Tensor, ...], request: Request) -> tuple[torch.Tensor, ...]:
    """Return the user's example, or random images if the user asks for another size or batch."""
    image = example[0]
    size = request.input_size or tuple(image.shape[-2:])
    if request.batch == 1 and size == tuple(image.shape[-2:]):
        return example
    if len(example) != 1 or image.dim() != 4:
        raise UsageError(
            "--input-size and --batch are for models with one image input",
            why="the example inputs have shapes " + ", ".join(str(tuple(x.shape)) for x in example),
            hint="change the example inputs",
        )
    return (random_images((request.batch, image.shape[1], size[0], size[1]), request.seed),)


def _stated_size(module: nn.Module) -> tuple[int, tuple[int, int]]:
    """Return channels, (height, width) from `module.input_size` or a timm-like config; else 3,
    224x224.
    """
    stated = getattr(module, "input_size", None) or _config(module).get("input_size")
    if isinstance(stated, int):
        return 3, (stated, stated)
    if isinstance(stated, tuple | list) and all(isinstance(n, int) for n in stated):
        if len(stated) == 2:
            return 3, (stated[0], stated[1])
        if len(stated) in (3, 4):
            return stated[-3], (stated[-2], stated[-1])
    return 3, _DEFAULT_SIZE


def _config(module: nn.Module) -> dict[str, Any]:
    for attribute in ("preprocess", "pretrained_cfg", "default_cfg"):
        value = getattr(module, attribute, None)
        if isinstance(value, Mapping) and value:
            return dict(value)
    return {}


def _preprocess(module: nn.Module, image: torch.Tensor) -> Preprocess | None:
    config = _config(module)
    if "mean" not in config or "std" not in config or image.dim() != 4:
        return None
    try:
        mean, std = (_numbers(config[key], image.shape[1]) for key in ("mean", "std"))
        crop_pct = float(config.get("crop_pct", 1.0))
    except (TypeError, ValueError) as error:
        raise ModelError(
            "the model states a preprocessing that is none",
            where=f"{type(module).__name__}: mean, std, crop_pct",
            why=first_line(error),
            hint="numbers: mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), crop_pct=1.0",
        ) from error
    size = (image.shape[2], image.shape[3])
    return Preprocess(mean, std, size, crop_pct, str(config.get("interpolation", "bicubic")))


def _numbers(stated: Any, channels: int) -> tuple[float, ...]:
    """Return one number for each channel; a single one is used for all."""
    if isinstance(stated, str):
        raise TypeError(f"`{stated}` is text, not numbers")
    numbers = (stated,) if isinstance(stated, int | float) else tuple(stated)
    return tuple(map(float, numbers * channels if len(numbers) == 1 else numbers))


def _labels(module: nn.Module) -> tuple[str, ...]:
    labels = getattr(module, "labels", None) or _config(module).get("labels", ())
    return tuple(map(str, labels)) if isinstance(labels, tuple | list) else ()
