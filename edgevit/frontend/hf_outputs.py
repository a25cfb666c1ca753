"""A transformers model as a plain function: `pixel_values` in, tensors out, in a stated order."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.trial import first_line, place_of

# Outputs of task heads; the features below are dropped when one of these is present.
_HEADS = (
    "logits",
    "pred_boxes",
    "pred_masks",
    "class_queries_logits",
    "masks_queries_logits",
    "predicted_depth",
    "reconstruction",
)
_FEATURES = ("last_hidden_state", "pooler_output", "image_embeds", "feature_maps")


class TensorOutputs(nn.Module):
    """Wrapper that returns the main fields of the model's output: one tensor, or a tuple of
    them.
    """

    fields: tuple[str, ...]

    def __init__(self, model: nn.Module, example: torch.Tensor) -> None:
        super().__init__()
        self.model = model.eval()
        self.fields = _fields(model, example)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        output: Any = self.model(pixel_values=pixel_values)
        values = tuple(output[field] for field in self.fields)
        return values[0] if len(values) == 1 else values


def _fields(model: nn.Module, example: torch.Tensor) -> tuple[str, ...]:
    """Run the model once and return the names of the main output fields that hold tensors."""
    try:
        with torch.no_grad():
            output = model(pixel_values=example)
    except Exception as error:
        shape = "x".join(map(str, example.shape))
        raise ModelError(
            f"the model does not run on its example input ({shape})",
            where=place_of(error, model),
            why=first_line(error),
            hint=_size_hint(model),
        ) from error
    present = [name for name, value in output.items() if isinstance(value, torch.Tensor)]
    chosen = [n for n in _HEADS if n in present] or [n for n in _FEATURES if n in present]
    chosen = chosen or present
    if not chosen:
        raise ModelError(
            "the model returns no tensor",
            why=f"{type(model).__name__} gave " + ", ".join(output.keys()),
            hint="name another class: hf:SomethingForImageClassification",
        )
    return tuple(chosen)


def _size_hint(model: nn.Module) -> str:
    size = getattr(getattr(model, "config", None), "image_size", None)
    return f"--input-size {size}" if isinstance(size, int) else "another --input-size"
