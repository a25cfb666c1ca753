"""Modules of ours around the user's: each has it as `model`."""

from __future__ import annotations

from torch import nn

_WRAPPERS = frozenset(
    f"edgevit.frontend.{name}"
    for name in ("pixels.FromPixels", "channels_last.ChannelsLast", "hf_outputs.TensorOutputs", "live.inputs.Structured", "kept_buffers.WithBuffers")
)  # fmt: skip


def is_wrapper(kind: str | type) -> bool:
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return name in _WRAPPERS


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the model as its authors wrote it."""
    while is_wrapper(type(module)):
        model = module.model
        assert isinstance(model, nn.Module)
        module = model
    return module
