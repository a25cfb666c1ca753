"""Channels of one value equalised to similar ranges, so that one grid suits them all.

    conv2(relu(conv1(x, W, b)), V)   ->   conv2(relu(conv1(x, k W, k b)), V / k)        k > 0, a factor a channel

Weights have a scale a channel, so the first convolution pays nothing, nor does a depthwise one behind it. Exact in real
arithmetic, whatever k is; through sums, pools and reshapes too, where all that is added to a channel has its factor.
After "Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv 1906.04721), with ranges found on
data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.fx.node import Node

from edgevit.errors import InternalError
from edgevit.graph.aten import argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.parity import distance
from edgevit.graph.program import Inputs, Program
from edgevit.quantize.channel_groups import FIXED, Tracked, track
from edgevit.quantize.op_traits import MOVES, bounds
from edgevit.quantize.recording import run_looking
from edgevit.rewrites.convolutions.linear_calls import called_with

_MOST = 16.0  # channels that are nearly zero are not amplified further
# Of the whole way to equal ranges. A channel's own range is known less well from a few inputs than that of the whole
# value, and what clips costs more than what is rounded: half the way was better than none and than all on 10 nets.
_STRENGTH = 0.5
_SAME = 1e-4  # relative L2


@dataclass(frozen=True)
class Strength:
    """How far channels go to equal ranges, and through which calls their factors do."""

    share: float = _STRENGTH
    most: float = _MOST
    # Through products of activations too, as the values of an attention are; and down to the range
    # of the channels beside them that may have no factor.
    products: bool = False
    # A channel counts with what a clamp has cut of it: on other inputs it may be as large above.
    with_cut: bool = False


def equalized(
    program: Program,
    batches: Sequence[Inputs],
    observed: Sequence[Node],
    strength: Strength = Strength(),
) -> Program:
    """Equalise channel ranges; return the program itself where no channel may have a factor."""
    tracked = track(program, strength.products)
    peaks = _relative_peaks(tracked, program, batches, observed, strength)
    factors = {label: _factor(max(relative), strength) for label, relative in peaks.items()}
    if not factors:
        return program
    draft = Draft(program)
    for node in list(draft.graph.nodes):
        if node.op == "call_function" and node.name in {
            original.name for original in tracked.outputs
        }:
            _scale(node, tracked, factors, draft)
    result = draft.program()
    error = distance(program.run(), result.run())
    if error.rel_l2 > _SAME:
        raise InternalError(
            "equalising channels changed what the model computes",
            why=f"relative L2 {error.rel_l2:.3g}",
            hint="quantise without it",
        )
    return result


def _relative_peaks(
    tracked: Tracked,
    program: Program,
    batches: Sequence[Inputs],
    observed: Sequence[Node],
    strength: Strength,
) -> dict[int, list[float]]:
    """Return, by label, the peak of its channel relative to the whole value's.

    There is one for each value that has the label. With `products` it is relative to the channels
    that may have no factor, where the value has such.
    """
    vectors = {
        node.name: vector
        for node in observed
        if kind(node) not in MOVES and (vector := _vector(tracked.of[node])) is not None
    }
    clamps = {
        node.all_input_nodes[0].name: node.name
        for node in observed
        if strength.with_cut and node.name in vectors and bounds(node) is not None
    }
    peaks: dict[str, np.ndarray] = {}
    cut: dict[str, np.ndarray] = {}

    def look(node: Node, result: Any) -> None:
        for name, seen in ((node.name, peaks), (clamps.get(node.name, ""), cut)):
            if name in vectors:
                peak = _channel_peaks(result, vectors[name][0])
                seen[name] = np.maximum(seen.get(name, 0.0), peak)

    run_looking(program, batches, look, {*vectors, *clamps})
    relative: dict[int, list[float]] = defaultdict(list)
    for name, peak in peaks.items():
        names = tracked.labels.names(vectors[name][1])
        fixed = peak[names == FIXED]
        level = fixed.max() if strength.products and len(fixed) else peak.max()
        peak = np.maximum(peak, np.minimum(cut.get(name, 0.0), level))
        for label, its in zip(names, peak / max(level, 1e-30), strict=True):
            if label != FIXED:
                relative[int(label)].append(float(its))
    return relative


def _channel_peaks(result: torch.Tensor, axis: int) -> np.ndarray:
    others = [other for other in range(result.dim()) if other != axis]
    finite = result.abs().nan_to_num(posinf=0.0)
    return (finite.amax(others) if others else finite).double().numpy()


def _factor(relative: float, strength: Strength) -> float:
    """Return the factor of a channel, at least 1 unless those beside it are fixed."""
    bounded = min(max(relative, 1 / strength.most), strength.most)
    return bounded**-strength.share


def _vector(labels: np.ndarray) -> tuple[int, np.ndarray] | None:
    """Return the axis that labels differ along, and the labels along it."""
    for axis, size in enumerate(labels.shape):
        if size < 2:
            continue
        column = np.moveaxis(labels, axis, 0).reshape(size, -1)
        if (column == column[:, :1]).all():
            return axis, column[:, 0]
    return None


def _scale(node: Node, tracked: Tracked, factors: dict[int, float], draft: Draft) -> None:
    by_name = {original_node.name: original_node for original_node in tracked.outputs}
    original = by_name[node.name]
    rows, columns = (
        torch.tensor(
            [factors.get(label, 1.0) for label in tracked.labels.names(labels).tolist()]
        ).double()
        for labels in (tracked.outputs[original], tracked.inputs[original])
    )
    weight_node, bias = argument(node, "weight"), argument(node, "bias")
    weight = draft.tensor(weight_node)
    scaled = weight.double() * rows.reshape(-1, *[1] * (weight.dim() - 1))
    groups = 1 if kind(node) == "linear" else argument(node, "groups")
    apart = scaled.reshape(groups, len(weight) // groups, weight.shape[1], -1)
    apart = apart / columns.reshape(groups, 1, -1, 1)
    edit = Edit(draft, "equalize-channels", node)
    moved = None if bias is None else (draft.tensor(bias).double() * rows).to(weight.dtype)
    edit.replace(node, called_with(node, apart.reshape(weight.shape).to(weight.dtype), moved, edit))
