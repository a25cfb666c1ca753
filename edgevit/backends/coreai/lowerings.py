"""Lowerings of calls that coreai-torch makes something else of.

view(x, [])     is written with an empty list of floats for its shape, which the compiler refuses
x.int()         is dropped by the compiler where a cast to real numbers follows, with the truncation
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx.node import Node

from edgevit.backends.coreai.tool import module


def register(converter: Any) -> None:
    """Give the converter our lowerings in place of its own."""
    for name, lowering in {
        "aten::view.default": _view,
        "aten::reshape.default": _view,
        "aten::_to_copy.default": _to_copy,
    }.items():
        converter.register_torch_lowering(name, allow_override=True)(lowering)


def _view(values: dict[str, Any], node: Node, location: Any) -> Any:
    source, sizes = node.args
    assert isinstance(source, Node)
    if sizes:
        return _theirs().replace_view(values, node, location)
    x = values[source.name]
    return module("coreai._compiler.dialects.coreai").shrink_dims(x, list(range(x.type.rank)))


def _to_copy(values: dict[str, Any], node: Node, location: Any) -> Any:
    """Truncate real numbers before they become whole ones."""
    source = node.args[0]
    assert isinstance(source, Node)
    before, after = source.meta["val"].dtype, node.meta["val"].dtype
    whole = not (after.is_floating_point or after.is_complex or after == torch.bool)
    if before.is_floating_point and whole:
        truncated = _theirs().replace_trunc(values, node, location)
        values = {**values, source.name: truncated}
    return _theirs().replace_to_copy(values, node, location)


def _theirs() -> Any:
    return module("coreai_torch._aten_to_core")
