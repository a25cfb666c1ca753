"""A model that takes and returns pictures as cameras store them: N x H x W x C.

y = model(x)   ->   y = nhwc(model(nchw(x)))      for every 4-D input and output

The two transposes stay in the graph. Runtimes that compute channels-last cancel them against their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_map

from edgevit.errors import UsageError
from edgevit.frontend.source import ModelSource


class ChannelsLast(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> object:
        return tree_map(_to_last, self.model(*(_to_first(x) for x in inputs)))


def takes_channels_last(source: ModelSource) -> ModelSource:
    if not any(x.ndim == 4 for x in source.inputs):
        shapes = ", ".join("x".join(map(str, x.shape)) for x in source.inputs)
        raise UsageError(
            "--channels-last needs a picture, NxCxHxW, as input", why=f"the model takes {shapes}"
        )
    inputs = tuple(_to_last(x).contiguous() for x in source.inputs)
    return replace(source, module=ChannelsLast(source.module), inputs=inputs, exported=None)


def _to_first(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def _to_last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1) if isinstance(x, torch.Tensor) and x.ndim == 4 else x
