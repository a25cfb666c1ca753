"""`FILE.py:CALLABLE` and `PACKAGE.MODULE:CALLABLE`: a model that the user's own code builds.

Both run code: of the file's folder, or, for a module, of the current directory, from which nothing else is imported.

The callable takes no argument and returns an `nn.Module`, or `(module, example_inputs)`. A module
class is called, a module instance is taken as it is. Without example inputs the module may say what
it takes: `example_inputs`, or `input_size`; what it says in `preprocess` is used too.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError, UsageError, suggest
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.trial import first_line, place_of
from edgevit.frontend.user_code import ends_the_command, said, without_our_words

_DEFAULT_SIZE = (224, 224)


def takes(spec: str) -> bool:
    place, colon, name = spec.rpartition(":")
    return bool(colon) and all(part.isidentifier() for part in name.split(".")) and bool(place)


def build(request: Request) -> ModelSource:
    place, _, name = request.spec.rpartition(":")
    if request.weights == "pretrained":
        raise UsageError(
            "--weights pretrained is for timm: and hf: models",
            hint="let the callable load its weights, or give --weights FILE",
        )
    with _importable(place), without_our_words(place):
        namespace = _import_file(place) if place.endswith(".py") else _import_module(place)
        module, example = _module_and_example(_call(namespace, name, request.spec), request.spec)
    inputs = _inputs(module, example, request)
    return ModelSource(
        spec=request.spec,
        name=file_safe(type(module).__name__),  # Xcode names the Swift class after the file
        module=module,
        inputs=inputs,
        input_names=_input_names(module, len(inputs)),
        origin=str(getattr(namespace, "__file__", None) or place),
        weights="as built",
        preprocess=_preprocess(module, inputs[0]),
        labels=_labels(module),
    )


@contextlib.contextmanager
def _importable(place: str) -> Iterator[None]:
    """Put the file's folder (else the working directory) on the import path, as under `python
    FILE.py`.
    """
    folder = str(Path(place).resolve().parent) if place.endswith(".py") else str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _import_file(place: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        beside = path.parent.glob("*.py") if path.parent.is_dir() else ()
        raise ModelError(
            f"no file `{place[:200]}`",
            where=str(Path.cwd()),
            why="it is a folder" if path.is_dir() else "there is none of that name",
            hint=suggest(place[:200], map(str, beside)) or "a file: path/net.py:build",
        )
    name = f"edgevit_user_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ModelError(f"`{place}` is not a Python file")
    namespace = importlib.util.module_from_spec(found)
    sys.modules[name] = namespace  # dataclasses and pickle look their module up there
    try:
        found.loader.exec_module(namespace)
    except BaseException as error:
        sys.modules.pop(name, None)
        raise _raised(error, f"`{place}` cannot be imported") from error
    return namespace


def _import_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            raise ModelError(
                f"no module `{place}`",
                why=str(error),
                hint="a file is given with its ending: path/file.py:callable",
            ) from error
        raise _raised(error, f"`{place}` cannot be imported") from error
    except BaseException as error:
        raise _raised(error, f"`{place}` cannot be imported") from error


def _call(namespace: ModuleType, name: str, spec: str) -> object:
    target: Any = namespace
    for part in name.split("."):
        if not hasattr(target, part):
            raise ModelError(
                f"`{spec.rpartition(':')[0]}` has no `{name}`",
                where=str(getattr(namespace, "__file__", None) or namespace.__name__),
                why=f"nothing in it is called `{part}`",
                hint=_callables_hint(target, part) or "name a callable that returns the model",
            )
        target = getattr(target, part)
    if isinstance(target, nn.Module) or not callable(target):
        return target
    try:
        return target()
    except BaseException as error:
        raise _raised(error, f"`{spec}` raised while it built the model") from error


def _callables_hint(target: Any, part: str) -> str:
    home = getattr(target, "__name__", None)
    own = [
        n
        for n, value in vars(target).items()
        if not n.startswith("_")
        and (isinstance(value, nn.Module) or getattr(value, "__module__", None) == home)
    ]
    return suggest(part, own)


def _raised(error: BaseException, message: str) -> ModelError:
    if ends_the_command(error):
        raise error
    where = place_of(error)
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    return ModelError(
        message,
        where=where or message.split("`")[1],
        why=said(error),
        hint="--debug shows the traceback",
    )


def _module_and_example(
    made: object, spec: str
) -> tuple[nn.Module, tuple[torch.Tensor, ...] | None]:
    if isinstance(made, nn.Module):
        return made, None
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        return made[0], _as_tensors(made[1], spec)
    raise ModelError(
        f"`{spec}` gives no model",
        where=spec,
        why=f"it returned {_describe(made)}",
        hint="return an nn.Module, or (module, example_inputs)",
    )


def _describe(made: object) -> str:
    if isinstance(made, tuple):
        return "a tuple of " + ", ".join(type(x).__name__ for x in made)
    return "None" if made is None else f"a {type(made).__name__}"


def _as_tensors(example: object, spec: str) -> tuple[torch.Tensor, ...]:
    items = (example,) if isinstance(example, torch.Tensor) else example
    if (
        isinstance(items, tuple | list)
        and items
        and all(isinstance(x, torch.Tensor) for x in items)
    ):
        return tuple(items)
    raise ModelError(
        f"the example inputs of `{spec}` are not tensors",
        where=spec,
        why=f"got {_describe(example)}",
        hint="one tensor, or a tuple of tensors in the order of forward's arguments",
    )


def _inputs(
    module: nn.Module, example: tuple[torch.Tensor, ...] | None, request: Request
) -> tuple[torch.Tensor, ...]:
    if example is None and (stated := getattr(module, "example_inputs", None)) is not None:
        example = _as_tensors(stated() if callable(stated) else stated, request.spec)
    if example is not None:
        return _fit_example(example, request)
    channels, size = _stated_size(module)
    return (random_images((request.batch, channels, *(request.input_size or size)), request.seed),)


def _fit_example(example: tuple[torch.Tensor, ...], request: Request) -> tuple[torch.Tensor, ...]:
    """Return the user's example, or random images if the command line asks for another size or
    batch.
    """
    image = example[0]
    size = request.input_size or tuple(image.shape[-2:])
    if request.batch == 1 and size == tuple(image.shape[-2:]):
        return example
    if len(example) != 1 or image.dim() != 4:
        raise UsageError(
            "--input-size and --batch are for models with one image input",
            why="the example inputs have shapes " + ", ".join(str(tuple(x.shape)) for x in example),
            hint="change the example inputs that the callable returns",
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


def _input_names(module: nn.Module, count: int) -> tuple[str, ...]:
    """Return the names of forward's first arguments, else `input_0`, ..."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (
        tuple(named[:count]) if len(named) >= count else tuple(f"input_{i}" for i in range(count))
    )


SCHEME = Scheme("FILE.py:CALLABLE or PACKAGE.MODULE:CALLABLE", takes, build, "as built")
