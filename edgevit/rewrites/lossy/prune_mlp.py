"""Hidden channels of MLPs and of inverted bottlenecks that go, the layer behind fitted to the rest.

    W f(V x) + b   ->   W' f(V_S x) + b'        S: the channels that stay, `fewer_inputs`

f treats each channel alone: an activation, a gate of two projections, a depthwise convolution. `prune-mlp=0.25`: a
quarter of each hidden layer goes; what stays is a multiple of 4 where there is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.fx.node import Node

from edgevit.graph.calls import weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Inputs, Program, origin
from edgevit.rewrites.convolutions.linear_calls import is_projection
from edgevit.rewrites.lossy.channel_region import ChannelRegion, channel_region, with_source
from edgevit.rewrites.lossy.fewer_inputs import fewer_inputs
from edgevit.rewrites.lossy.input_moments import InputMoments, input_moments
from edgevit.rewrites.lossy.option import LossyStep, LossyValueError, Taken
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import Refused

_STEP = 4  # SIMD lanes of the smallest device


def prune_mlp(value: str) -> LossyStep:
    share = share_of(value, "prune-mlp")
    return lambda program, samples: _pruned(program, share, samples())


def share_of(value: str, option: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise LossyValueError(f"its value is the share that goes, between 0 and 1: {option}=0.25")
    return share


def _pruned(program: Program, share: float, samples: Sequence[Inputs]) -> Taken:
    draft = Draft(program)
    regions, refused = _regions(draft)
    axes = {region.source.name: region.axis for region in regions}
    moments = input_moments(program, axes, samples)
    places: list[str] = []
    for region in regions:
        stay = _staying(region.channels, share)
        if stay < region.channels:
            places.append(origin(region.reader).place)
            _prune(region, stay, moments[region.source.name], draft)
    return (draft.program() if places else program), tuple(places), tuple(refused)


def _regions(draft: Draft) -> tuple[list[ChannelRegion], list[Refusal]]:
    regions, refused = list[ChannelRegion](), list[Refusal]()
    projections: list[Node] = [node for node in draft.graph.nodes if is_projection(node, draft)]
    for node in projections:
        try:
            region = channel_region(node, draft)
            if len(region.calls) == len(region.writers):
                raise Refused("there is no activation before it")
            regions.append(region)
        except Refused as refusal:
            refused.append(Refusal(origin(node).place, refusal.reason))
    return regions, refused


def _staying(channels: int, share: float) -> int:
    stay = max(1, round(channels * (1 - share)))
    return stay if channels < 4 * _STEP else math.ceil(stay / _STEP) * _STEP


def _prune(region: ChannelRegion, stay: int, moments: InputMoments, draft: Draft) -> None:
    view = weighted_at(region.reader)
    bias = None if view.bias is None else draft.tensor(view.bias)
    every = torch.arange(region.channels)[:, None]
    fewer = fewer_inputs(draft.tensor(view.weight).flatten(1), bias, moments, every, stay)
    edit = Edit(draft, "prune-mlp", region.reader, (region.reader,))
    source = region.again(torch.tensor(fewer.groups), edit)
    edit.replace(region.reader, with_source(region.reader, source, fewer.weight, fewer.bias, edit))
