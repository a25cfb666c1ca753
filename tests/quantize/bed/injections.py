"""Outliers as trained nets have them, put into a net such that it computes what it did.

Each takes a net's layers and changes them in place: one is scaled by powers of two, which is exact
in floating point, and its reader by the inverse; or a constant is added that its reader takes out.
Rows of a linear before a GELU cannot be scaled so (it is not homogeneous); constant ones can be added.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from tests.quantize.bed.models import (
    ConvNorm,
    Inverted,
    MapAttention,
    MapMlp,
    PatchTransformer,
    TokenAttention,
    TokenMlp,
    Vit,
)

NORM, VALUE, IMBALANCE = (6, 8), (5, 7), (4, 5)  # exponents of two, both ends included
_HOT, _SHIFT = 150.0, 100.0
_EVERY = 6  # of a norm's and the values' channels, one in so many


def injected(net: nn.Module) -> nn.Module:
    """Return a copy of `net` with every outlier that applies to it."""
    net = copy.deepcopy(net)
    draw = torch.Generator().manual_seed(17)
    for module in list(net.modules()):
        match module:
            case TokenAttention():
                scale_norm(module.norm, module.qkv, draw)
                scale_values(module.qkv, module.out, module.qkv.in_features, draw)
            case TokenMlp():
                scale_norm(module.norm, module.up, draw)
                if isinstance(module.act, nn.GELU):
                    add_hot_channels(module)
            case MapAttention():
                scale_norm(module.norm, module.qkv.conv, draw)
                scale_values(module.qkv.norm, module.out.conv, module.parts[0], draw)
            case MapMlp():
                unbalance(module.up, module.down.conv, draw)
            case Inverted() if isinstance(module.act1, nn.ReLU):
                unbalance(module.widen, module.depthwise.conv, draw)
                unbalance(module.depthwise, module.narrow.conv, draw)
            case Vit() | PatchTransformer():
                shift_stream(module)
    return net.requires_grad_(False)


def scale_norm(norm: nn.Module, reader: nn.Module, draw: torch.Generator) -> None:
    """Multiply a few of a norm's channels by 64 to 256; divide the reader's columns."""
    factors = _factors(norm.weight.numel(), NORM, draw, _EVERY)
    _scale_outputs(norm, factors)
    _divide_inputs(reader, factors)


def scale_values(writer: nn.Module, reader: nn.Module, count: int, draw: torch.Generator) -> None:
    """Multiply a few value channels, the writer's last `count` rows, by 32 to 128; divide the reader's columns."""
    factors = _factors(count, VALUE, draw, _EVERY)
    _scale_outputs(writer, torch.cat([torch.ones(len(writer.weight) - count), factors]))
    inputs = reader.weight.shape[1]
    _divide_inputs(reader, torch.cat([factors, torch.ones(inputs - count)]))


def unbalance(writer: ConvNorm, reader: nn.Conv2d, draw: torch.Generator) -> None:
    """Multiply half of the channels between two convolutions with a ReLU by 16 or 32; divide the others.

    8 bits lose the small ones among the values, and the large ones among the reader's weights.
    """
    factors = _factors(writer.norm.num_features, IMBALANCE, draw)
    upwards = torch.rand(len(factors), generator=draw) < 0.5
    factors = torch.where(upwards, factors, 1 / factors)
    _scale_outputs(writer.norm, factors)
    _divide_inputs(reader, factors)


def add_hot_channels(mlp: TokenMlp, count: int = 2) -> None:
    """Add hidden channels that are always 150; the bias behind takes out what they add."""
    up, down = mlp.up, mlp.down
    columns = down.weight[:, :count].clone()  # of the size that the others have
    mlp.up = _linear(
        torch.cat([up.weight, torch.zeros(count, up.in_features)]),
        torch.cat([up.bias, torch.full((count,), _HOT)]),
    )
    mlp.down = _linear(torch.cat([down.weight, columns], 1), down.bias - _HOT * columns.sum(1))


def shift_stream(module: Vit | PatchTransformer) -> None:
    """Add 100 to all of the residual stream: each layer norm takes its mean out."""
    if isinstance(module, Vit):
        module.places += _SHIFT
        if module.registers is not None:
            module.registers += _SHIFT
    else:
        module.enter.bias += _SHIFT


def _factors(
    count: int, exponents: Sequence[int], draw: torch.Generator, every: int = 1
) -> torch.Tensor:
    """Draw powers of two, for one in `every` channels; the others are 1."""
    low, high = exponents
    factors = torch.exp2(torch.randint(low, high + 1, (count,), generator=draw).float())
    chosen = torch.randperm(count, generator=draw)[: -(-count // every)]
    return torch.ones(count).index_copy(0, chosen, factors[chosen])


def _scale_outputs(layer: nn.Module, factors: torch.Tensor) -> None:
    layer.weight *= factors.reshape(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is not None:
        layer.bias *= factors


def _divide_inputs(layer: nn.Module, factors: torch.Tensor) -> None:
    """Divide the columns; a depthwise convolution has one input a row."""
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
    axis = 0 if depthwise else 1
    layer.weight /= factors.reshape([-1 if d == axis else 1 for d in range(layer.weight.dim())])


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
