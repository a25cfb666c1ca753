"""Wrapper of a transformers model: named tensors in, tensors out, in a stated order."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.input_text import stated_inputs
from edgevit.frontend.trial import first_line, place_of

# Outputs of task heads; the features below are dropped when one of these is present.
_HEADS = (
    "logits",
    "pred_boxes",
    "pred_masks",
    "iou_scores",
    "class_queries_logits",
    "masks_queries_logits",
    "predicted_depth",
    "reconstruction",
    "logits_per_image",
    "logits_per_video",
    "itm_score",
    "segmentation_logits",
    "normals",
    "field_of_view",
    "order_logits",
    "object_score_logits",
)
_FEATURES = (
    "last_hidden_state",
    "pooler_output",
    "image_embeds",
    "text_embeds",
    "feature_maps",
    "cls_token_value",
    "intermediate_embeddings",
    "summary",
    "features",
)
_PAIRS = {"logits_per_image", "logits_per_video"}
_EMBEDDINGS = (
    "image_embeds",
    "video_embeds",
    "text_embeds",
)  # what a gallery keeps of a model of pairs


class TensorOutputs(nn.Module):
    """Wrapper that returns the main fields of the model's output: one tensor, or a tuple of
    them. A field that is a tuple gives one output each: `feature_maps_0`.
    """

    fields: tuple[str, ...]

    def __init__(self, model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.model = model.eval()
        self.names = tuple(inputs)
        self.fields = _fields(model, inputs)

    def forward(
        self, *inputs: torch.Tensor, **named: torch.Tensor
    ) -> torch.Tensor | tuple[torch.Tensor, ...]:
        output: Any = self.model(**dict(zip(self.names, inputs, strict=False)), **named)
        values = dict(_tensors(output))
        chosen = tuple(values[field] for field in self.fields)
        return chosen[0] if len(chosen) == 1 else chosen


def _tensors(output: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in output.items():
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, tuple) and all(isinstance(x, torch.Tensor) for x in value):
            yield from ((f"{name}_{k}", x) for k, x in enumerate(value))


def _fields(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Run the model once and return the names of the main output fields that hold tensors."""
    try:
        with torch.no_grad():
            output = model(**inputs)
    except Exception as error:
        shapes = ", ".join("x".join(map(str, x.shape)) for x in inputs.values())
        raise ModelError(
            f"the model does not run on its example input ({shapes})",
            where=place_of(error, model),
            why=first_line(error),
            hint=_input_hint(model, inputs),
        ) from error
    present = [name for name, _ in _tensors(output)]
    heads = (*_HEADS, *_EMBEDDINGS) if _PAIRS & set(present) else _HEADS
    chosen = _of(heads, present) or _of(_FEATURES, present) or present
    if not chosen:
        raise ModelError(
            "the model returns no tensor",
            why=f"{type(model).__name__} gave " + ", ".join(output.keys()),
            hint="name another class: hf:SomethingForImageClassification",
        )
    return tuple(chosen)


def _of(fields: tuple[str, ...], present: list[str]) -> list[str]:
    """Return the tensors of the fields, in the order of the fields."""
    return [n for field in fields for n in present if n.removesuffix(_number(n)) == field]


def _number(name: str) -> str:
    head, underscore, last = name.rpartition("_")
    return underscore + last if head and last.isdigit() else ""


def _input_hint(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> str:
    """Return a command's inputs with those that `forward` misses, or another size of the picture."""
    missing = [
        name
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and name not in inputs
    ]
    if missing:
        return f"--inputs {stated_inputs(inputs)},{','.join(f'{name}=SHAPE' for name in missing)}"
    size = getattr(getattr(model, "config", None), "image_size", None)
    own = f"--input-size {size}" if isinstance(size, int) else "another --input-size"
    return f"{own}; or inputs of yours: --inputs {stated_inputs(inputs)},NAME=SHAPE"
