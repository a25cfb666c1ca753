"""Inputs of a transformers model, by the names of its `forward`.

pixel_values                    the picture of a vision model, or of one of pictures and text; its frames, or the pair
                                whose points are matched
pixel_values_videos             the frames of a model of video
input_ids, decoder_input_ids    the text of a model of both, or of its text tower
noise                           by which a masked autoencoder orders its patches
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from edgevit.errors import ModelError
from edgevit.frontend.images import random_images

PICTURE = "pixel_values"
_VIDEO = "pixel_values_videos"
_TOKENS = ("input_ids", "decoder_input_ids")
_NOISE = "noise"
_MOST_TOKENS = 77  # of an example: some tables of positions are far longer than a caption
_FRAMES = 2  # where the config states none
_WORDS = 32000  # where the config states no vocabulary
_NOISE_SEED = 7_919  # apart from the picture's


def hf_inputs(
    model: Any, name: str, batch: int, seed: int, pictures: Callable[..., torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return example inputs by name, the picture first. `pictures` takes how many each has, if not one."""
    parameters = inspect.signature(model.forward).parameters
    modalities = _modalities(model)
    inputs: dict[str, torch.Tensor] = {}
    if _VIDEO in parameters and "video" in modalities:
        inputs[_VIDEO] = pictures(_frames(model.config))
    elif PICTURE in parameters and {"image", "video"} & set(modalities):
        inputs[PICTURE] = pictures(*_in_each(model))
    tokens = next((name for name in _TOKENS if name in parameters), None)
    if tokens and "text" in modalities and (inputs or _is_tower(model.config)):
        inputs[tokens] = _token_ids(model.config, batch, seed)
    if not inputs:
        raise _no_picture(model, name)
    if _NOISE in parameters and PICTURE in inputs:
        inputs[_NOISE] = _noise(model.config, inputs[PICTURE], seed)
    return inputs


def _in_each(model: Any) -> tuple[int, ...]:
    """Return how many pictures one input holds: the frames of a video, the two of a pair; () if it is one."""
    if type(model).__name__.endswith("KeypointMatching"):
        return (2,)
    # a model of clips and text says that it reads images; its picture part states how many of one clip
    of_clips = hasattr(getattr(model.config, "vision_config", None), "num_frames")
    of_video = of_clips or "video" in _modalities(model) or "ForVideo" in type(model).__name__
    return (_frames(model.config),) if of_video else ()


def _frames(config: Any) -> int:
    configs = (config, getattr(config, "vision_config", None))
    names = ("num_frames", "frames_per_clip")
    stated = (getattr(part, name, None) for part in configs for name in names)
    return next(filter(None, stated), _FRAMES)


def _modalities(model: Any) -> tuple[str, ...]:
    """Return what the model's class says it reads; a class that says nothing names its main input."""
    stated = getattr(model, "input_modalities", None) or ()
    stated = (stated,) if isinstance(stated, str) else tuple(stated)
    return (*stated, "image") if getattr(model, "main_input_name", PICTURE) == PICTURE else stated


def _is_tower(config: Any) -> bool:
    """Check for the text half of a model of pictures and text."""
    return getattr(config, "base_config_key", "") == "text_config"


def _token_ids(config: Any, batch: int, seed: int) -> torch.Tensor:
    """Return random tokens that end in the token of the end, where the vocabulary has it."""
    text = config.get_text_config(decoder=True)
    words = getattr(text, "vocab_size", None) or _WORDS
    length = min(getattr(text, "max_position_embeddings", None) or _MOST_TOKENS, _MOST_TOKENS)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, words, (batch, length), generator=generator)
    end = getattr(text, "eos_token_id", None)
    if isinstance(end, int) and 0 <= end < words:
        ids[:, -1] = end
    return ids


def _noise(config: Any, images: torch.Tensor, seed: int) -> torch.Tensor:
    patch = config.patch_size
    height, width = (patch, patch) if isinstance(patch, int) else patch
    patches = (images.shape[2] // height) * (images.shape[3] // width)
    return random_images((images.shape[0], patches), seed + _NOISE_SEED)


def _no_picture(model: Any, name: str) -> ModelError:
    parameters = inspect.signature(model.forward).parameters
    main = model.main_input_name
    taken = main if main in parameters else next(iter(parameters), "nothing")
    return ModelError(
        f"`{name}` is not a vision model",
        where=f"hf:{name}",
        why=f"{type(model).__name__} takes `{taken}`, not `{PICTURE}`",
        hint=f"name its vision part, for example hf:CLIPVisionModel; or --inputs {taken}=SHAPE",
    )
