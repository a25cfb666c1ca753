"""`hf:...`: a transformers vision model by architecture, by config file, or from the hub.

hf:vit, hf:ViTForImageClassification   the architecture's default config
hf:./folder, hf:./config.json          a config on disk, with weights beside it or without
hf:org/name                            the hub, or its local cache
hf:...?CLIPTextModel                   the same by a class of your choice: one tower of two
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from edgevit.errors import MissingToolError, ModelError, suggest
from edgevit.frontend.hf_inputs import PICTURE, hf_inputs
from edgevit.frontend.hf_outputs import TensorOutputs
from edgevit.frontend.hf_preprocess import preprocess_of, processor_values, stated_size
from edgevit.frontend.hf_stated import require_config, require_processor
from edgevit.frontend.hf_weights import from_file, pretrained, require_at_hand
from edgevit.frontend.hub import hub_access
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.size_limit import require_buildable
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import first_line
from edgevit.support.silence import quiet

# The heads tried, in this order, for a config that does not name its class.
_HEADS = (
    "ImageClassification",
    "SemanticSegmentation",
    "DepthEstimation",
    "ObjectDetection",
    "UniversalSegmentation",
    "ImageToImage",
)
# Configs in a config that may state the size of the picture.
_NESTED = ("vision_config", "backbone_config", "encoder")


def takes(spec: str) -> bool:
    return spec.startswith("hf:")


def build(request: Request) -> ModelSource:
    name, _, chosen = request.spec.removeprefix("hf:").partition("?")
    folder = _folder(name)
    if folder is not None:  # before the library, which takes seconds to import
        require_config(folder)
        require_processor(folder)
    if request.if_at_hand:
        require_at_hand(name, folder)
    transformers = _transformers()
    config = _config(transformers, name, folder, request.trust)
    if chosen:
        config.architectures = [_require_class(transformers, chosen, request.spec)]
    model_class = _model_class(transformers, config, name)
    config = _part_for(model_class, config)
    if request.input_size is not None and request.weights == "random":
        _set_image_size(config, request.input_size)  # position tables are built for it
    require_buildable(lambda: model_class(deepcopy(config)), name)
    model = _model(model_class, config, name, folder, request)
    values = processor_values(_model_types(config), str(folder.resolve()) if folder else name)
    channels = _channels(config)
    size = request.input_size or _image_size(config) or stated_size(values)

    def pictures(*in_each: int) -> torch.Tensor:
        leading = (request.batch, *in_each)
        images = random_images((math.prod(leading), channels, *size), request.seed)
        return images.unflatten(0, leading)

    inputs = _given(request) or hf_inputs(model, name, request.batch, request.seed, pictures)
    takes_picture = PICTURE in inputs and inputs[PICTURE].ndim == 4
    module = TensorOutputs(model, inputs)
    return ModelSource(
        spec=request.spec,
        name=file_safe(_file_name(name, folder, chosen)),
        module=module,
        inputs=tuple(inputs.values()),
        input_names=tuple(inputs),
        output_names=module.fields,
        origin=f"transformers {transformers.__version__}, {model_class.__name__}",
        weights=str(request.weights),
        preprocess=preprocess_of(values, size, channels) if takes_picture else None,
        labels=_labels(config),
        native_size=_image_size(config),
    )


def _given(request: Request) -> dict[str, torch.Tensor]:
    """Return the caller's example inputs where they have names, as the model is run on."""
    example = request.example
    if not isinstance(example, Mapping) or not all(map(torch.is_tensor, example.values())):
        return {}
    return {str(name): tensor for name, tensor in example.items()}


def _file_name(name: str, folder: Path | None, chosen: str) -> str:
    base = folder.resolve().name if folder else name.rpartition("/")[2]
    return f"{base}-{chosen}" if chosen else base


def _transformers() -> Any:
    """Import transformers with what all its models stand on, whose import warns of parts for other machines."""
    try:
        with quiet("torchao"):
            import transformers.modeling_utils
    except ImportError as error:
        raise MissingToolError(
            "transformers is not installed",
            why=first_line(error),
            hint="pip install 'edgevit[zoo]'",
        ) from error
    return transformers


def _folder(name: str) -> Path | None:
    """Return the folder that holds config.json, when the spec is a path."""
    path = Path(name)
    if path.name == "config.json" or path.suffix == ".json":
        folder = path.parent if path.name == "config.json" and path.is_file() else None
    elif (path / "config.json").is_file():
        folder = path
    elif name.startswith((".", "/", "~")) or path.is_dir():
        folder = None
    else:
        return None
    if folder is None:
        raise ModelError(
            f"no config.json at `{name}`",
            where=name,
            why="a transformers model on disk is a folder with a file of that name",
            hint="hf:FOLDER",
        )
    return folder


def _config(transformers: Any, name: str, folder: Path | None, trust: bool) -> Any:
    if folder is None and "/" not in name:
        return _named_config(transformers, name)
    try:
        with hub_access():
            return transformers.AutoConfig.from_pretrained(
                str(folder or name), trust_remote_code=trust, local_files_only=folder is not None
            )
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"`{name}` comes with Python code of its own, which is not run",
                where="config.json",
                why="its config.json names classes outside transformers (`auto_map`)",
                hint="--trust, if you know who wrote it",
            ) from error
        if folder is not None:
            raise ModelError(
                f"`{folder / 'config.json'}` is not a transformers config",
                where=str(folder / "config.json"),
                why=first_line(error),
                hint="take the file as its authors published it",
            ) from error
        raise ModelError(
            f"cannot get `{name}` from the Hugging Face hub",
            where=f"hf:{name}",
            why=first_line(error),
            hint="check the name and go online once (it is cached), or give hf:FOLDER",
        ) from error


def _named_config(transformers: Any, name: str) -> Any:
    """Return the default config of a model type (`vit`) or of a class
    (`ViTForImageClassification`).
    """
    config_names = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    model_type = next(
        (m for m in (name, name.replace("-", "_"), name.replace("_", "-")) if m in config_names), ""
    )
    if model_type:
        return transformers.AutoConfig.for_model(model_type)
    model_class = getattr(transformers, name, None) if name.isidentifier() else None
    if model_class is not None and _is_model_class(transformers, model_class):
        config = model_class.config_class()
        config.architectures = [name]
        return config
    classes = _auto_classes(transformers)
    names = set(config_names) | {c for mapping in classes for c in _flat(mapping.values())}
    raise ModelError(
        f"transformers {transformers.__version__} has no architecture `{name}`",
        why="a bare name is a model type (vit) or a class (ViTForImageClassification)",
        hint=suggest(name, names) or "hf:ORG/NAME is a model on the hub",
    )


def _auto_classes(transformers: Any) -> list[dict[str, Any]]:
    auto = transformers.models.auto.modeling_auto
    names = [*(f"MODEL_FOR_{_upper(h)}_MAPPING_NAMES" for h in _HEADS), "MODEL_MAPPING_NAMES"]
    return [getattr(auto, n) for n in names if hasattr(auto, n)]


def _upper(head: str) -> str:
    return "".join("_" + c if c.isupper() else c for c in head).strip("_").upper()


def _flat(values: Any) -> list[str]:
    return [n for v in values for n in ((v,) if isinstance(v, str) else v)]


def _model_class(transformers: Any, config: Any, name: str) -> Any:
    for stated in config.architectures or ():
        model_class = getattr(transformers, str(stated), None)
        if _is_model_class(transformers, model_class):
            return model_class
    for mapping in _auto_classes(transformers):
        classes = mapping.get(config.model_type)
        if classes:
            return getattr(transformers, _flat([classes])[0])
    raise ModelError(
        f"transformers has no model class for `{name}`",
        why=f"its config is of type `{config.model_type}`",
        hint="name the class: hf:SomethingForImageClassification",
    )


def _require_class(transformers: Any, name: str, spec: str) -> str:
    if _is_model_class(transformers, getattr(transformers, name, None)):
        return name
    names = [n for n in dir(transformers) if n.endswith(("Model", "WithProjection")) or "For" in n]
    raise ModelError(
        f"transformers {transformers.__version__} has no model class `{name}`",
        where=spec,
        why="what follows the `?` is the class that the model is built as",
        hint=suggest(name, names) or "hf:FOLDER?CLIPVisionModel",
    )


def _is_model_class(transformers: Any, value: object) -> bool:
    return isinstance(value, type) and issubclass(value, transformers.PreTrainedModel)


def _part_for(model_class: Any, config: Any) -> Any:
    """Return the config, or the one in it that the class is built from: a tower's."""
    taken_type = getattr(model_class, "config_class", None)
    if taken_type is None or isinstance(config, taken_type):
        return config
    for name, part_type in getattr(config, "sub_configs", {}).items():
        if isinstance(part_type, type) and issubclass(part_type, taken_type):
            return getattr(config, name)
    return config


def _model(
    model_class: Any, config: Any, name: str, folder: Path | None, request: Request
) -> torch.nn.Module:
    if request.weights == "pretrained":
        return pretrained(model_class, config, name, folder)
    if request.weights not in (None, "random"):
        return from_file(model_class, config, str(request.weights), request.trust)
    return _from_config(model_class, config, name)


def _from_config(model_class: Any, config: Any, name: str) -> torch.nn.Module:
    try:
        return model_class(config)
    except Exception as error:
        raise ModelError(
            f"transformers cannot build `{name}` from its config",
            where=model_class.__name__,
            why=first_line(error),
            hint="its sizes must fit each other: take the config as its authors published it",
        ) from error


def _holders(config: Any) -> list[Any]:
    """List the config itself, then those it nests, where image size and channels may be stated."""
    nested = [getattr(config, n, None) for n in _NESTED]
    return [config, *(c for c in nested if c is not None)]


def _image_size(config: Any) -> tuple[int, int] | None:
    for holder in _holders(config):
        size = getattr(holder, "image_size", None)
        if isinstance(size, int):
            return (size, size)
        if isinstance(size, list | tuple) and len(size) == 2:
            return (int(size[0]), int(size[1]))
    return None


def _set_image_size(config: Any, size: tuple[int, int]) -> None:
    for holder in _holders(config):
        if getattr(holder, "image_size", None) is not None:
            stated = holder.image_size
            if isinstance(stated, list | tuple):
                holder.image_size = type(stated)(size)
            else:
                holder.image_size = size[0] if size[0] == size[1] else size
            return


def _model_types(config: Any) -> list[str]:
    """List the architectures whose processor is this model's: its own, else that of its pair or part."""
    types = [holder.model_type for holder in _holders(config)]
    return [*types, *(name.removesuffix("_vision_model") for name in types)]


def _channels(config: Any) -> int:
    for holder in _holders(config):
        channels = getattr(holder, "num_channels", None)
        if isinstance(channels, int):
            return channels
    return 3


def _labels(config: Any) -> tuple[str, ...]:
    """Return the labels of `id2label`, unless it is the generic LABEL_0, LABEL_1, ..."""
    table = getattr(config, "id2label", None) or {}
    labels = tuple(str(table[key]) for key in sorted(table, key=int))
    return () if all(x == f"LABEL_{i}" for i, x in enumerate(labels)) else labels


SCHEME = Scheme(
    "hf:NAME, hf:ORG/NAME or hf:FOLDER", takes, build, "random", prefers_pretrained=True
)
