"""Rebuild of an exported model from its manifest."""

from __future__ import annotations

from typing import Any

from edgevit.frontend.channels_last import takes_channels_last
from edgevit.frontend.kept_buffers import with_kept
from edgevit.frontend.pixels import can_take_pixels, takes_pixels
from edgevit.frontend.resolve import not_here, resolve
from edgevit.frontend.source import ModelSource
from edgevit.frontend.split import require_head, without_head


def build_source(
    model: object,
    example_inputs: object = None,
    *,
    image_input: bool | None = False,
    channels_last: bool = False,
    head: str = "native",
    **options: Any,
) -> ModelSource:
    """Resolve a model and add the wrappers that the user asked for.

    If `image_input` is None, the model takes pixels where its preprocessing is known.
    """
    require_head(head)
    source = resolve(model, example_inputs, **options)
    if image_input or (image_input is None and can_take_pixels(source)):
        source = takes_pixels(source)
    if channels_last:
        source = takes_channels_last(source)
    return without_head(with_kept(source), head)


def require_spec(model: dict[str, Any]) -> None:
    """Refuse a model that was given in Python: no spec leads to it. `model` is as for `rebuild`."""
    if model.get("from_python"):
        raise not_here(model["spec"])


def rebuild(model: dict[str, Any]) -> ModelSource:
    """Build the model again. `model` is the manifest's entry of that name."""
    require_spec(model)
    options = dict(model["options"])
    if isinstance(options.get("input_size"), list):
        options["input_size"] = tuple(options["input_size"])
    return build_source(model["spec"], **options)
