"""Scores of a net that has learnt nothing: they order candidates, and decide nothing.

entropy    log of the number of channels each layer sums over, times the log of the size of its output (after DeepMAD,
           Shen et al., 2023), less where the net is deep for its width
saliency   log of the sum over weights of |weight x gradient|, of the sum of outputs for an input of ones and
           weights made positive (SynFlow, Tanaka et al., 2020; for attention TF-TAS, Zhou et al., 2022)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from edgevit.graph.program import Inputs

NONE = "none"
_SHALLOW = 0.5  # depth over width beyond which a deeper net learns no more: DeepMAD's rho
Score = Callable[[nn.Module, Inputs], float]


@dataclass(frozen=True)
class WeightedLayer:
    summed: int  # numbers that one output is a sum over
    channels: int
    size: int  # numbers of its output

    @property
    def macs(self) -> int:
        return self.summed * self.size


def layers_of(module: nn.Module, inputs: Inputs) -> list[WeightedLayer]:
    """Run the module, and return its weighted layers in the order they ran."""
    layers: list[WeightedLayer] = []

    def note(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        weight = layer.get_parameter("weight")
        layers.append(WeightedLayer(weight[0].numel(), len(weight), output.numel()))

    hooks = [layer.register_forward_hook(note) for layer in _weighted(module)]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return layers


def macs_of(module: nn.Module, inputs: Inputs) -> int:
    return sum(layer.macs for layer in layers_of(module, inputs))


def entropy(module: nn.Module, inputs: Inputs) -> float:
    layers = layers_of(module, inputs)
    if not layers:
        return 0.0
    widths = [math.log(max(layer.summed, 2)) for layer in layers]
    width = math.exp(sum(widths) / len(widths))
    too_deep = max(0.0, len(layers) / width - _SHALLOW)
    return sum(widths) * math.log(max(layer.size for layer in layers)) * math.exp(-too_deep)


def saliency(module: nn.Module, inputs: Inputs) -> float:
    net = copy.deepcopy(module).eval()
    weights = [layer.get_parameter("weight") for layer in _weighted(net)]
    for weight in weights:
        weight.data.abs_()
        weight.requires_grad_(True)
    ones = tuple(torch.ones_like(x) if x.is_floating_point() else x for x in inputs)
    outputs = net(*ones)
    first = outputs if isinstance(outputs, torch.Tensor) else next(iter(outputs))
    gradients = torch.autograd.grad(first.sum(), weights, allow_unused=True)
    total = sum(
        float((weight * gradient).detach().abs().sum())
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is not None
    )
    return math.log(total) if total > 0 else -math.inf


def _weighted(module: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
    return (layer for layer in module.modules() if isinstance(layer, kinds))


PROXIES: dict[str, Score | None] = {"entropy": entropy, "saliency": saliency, NONE: None}
