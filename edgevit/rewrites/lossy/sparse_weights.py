"""Linears and 1x1 convolutions with zeros in a pattern: what runtimes that know it skip or do not store.

    linear(x, W, b)   ->   linear(x, W', b')        W' zero in blocks, or in two of every four inputs: `sparse_fit`

`sparse-blocks=0.5`: half of the blocks of 4 outputs x 16 inputs, which are those of firmware's kernels (Xu et al. 2024,
"LPViT", has larger ones). `sparse-blocks=0.5:4`: of 4 x 4. `sparse-2to4`: two of every four inputs of each output. A layer
whose outputs the model returns keeps its weights. So does one that several calls read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.fx.node import Node

from edgevit.graph.calls import weighted_at
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Inputs, Program, origin, shape
from edgevit.graph.tensors import from_numpy
from edgevit.rewrites.convolutions.linear_calls import called_with, is_projection
from edgevit.rewrites.lossy.option import LossyStep, LossyValueError, Taken
from edgevit.rewrites.lossy.sequential_fit import Changed, PairedMoments, fitted_in_order
from edgevit.rewrites.lossy.sparse_fit import BlockZeros, TwoOfFour, Zeros, sparse_fit
from edgevit.rewrites.report import Refusal

_HEIGHT, _WIDTHS = 4, ("16", "4")
_NO_PROJECTION = Refusal(
    "the model", "no linear or 1x1 convolution with constant weights is in its graph"
)
_LEAST = 4  # blocks, of which a share can be zero


def sparse_blocks(value: str) -> LossyStep:
    share, _, width = value.partition(":")
    return _step("sparse-blocks", BlockZeros(_share(share, value), _HEIGHT, _width(width, value)))


def sparse_2to4(value: str) -> LossyStep:
    if value:
        raise LossyValueError("it takes no value")
    return _step("sparse-2to4", TwoOfFour())


def _share(word: str, value: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise LossyValueError(
            f"its value is the share of blocks that is zero, between 0 and 1, and how many inputs a block has: sparse-blocks=0.5, sparse-blocks=0.5:4, not `{value}`"
        )
    return share


def _width(word: str, value: str) -> int:
    if word and word not in _WIDTHS:
        raise LossyValueError(f"a block has 16 inputs or 4: sparse-blocks=0.5:4, not `{value}`")
    return int(word or _WIDTHS[0])


def _step(option: str, pattern: Zeros) -> LossyStep:
    return lambda program, samples: _sparse(program, option, pattern, samples())


def _sparse(program: Program, option: str, pattern: Zeros, samples: Sequence[Inputs]) -> Taken:
    draft = Draft(program)
    projections = [node for node in draft.graph.nodes if is_projection(node, draft)]
    reasons = {node: _refusal(node, pattern) for node in projections}
    refused = [Refusal(origin(node).place, reason) for node, reason in reasons.items() if reason]
    refused += [] if projections else [_NO_PROJECTION]
    calls = [node for node, reason in reasons.items() if not reason]

    def change(call: Node, moments: PairedMoments) -> Changed:
        return _fitted(call, program, moments, pattern)

    changes = fitted_in_order(program, [call.name for call in calls], samples, change)
    places = [origin(call).place for call in calls]
    for call in calls:
        edit, fit = Edit(draft, option, call, (call,)), changes[call.name]
        edit.replace(call, called_with(call, fit.weight, fit.bias, edit))
    return (draft.program() if places else program), tuple(places), tuple(refused)


def _refusal(call: Node, pattern: Zeros) -> str:
    """Return why a layer stays as it is; nothing where it does not."""
    weight = weighted_at(call).weight
    outputs, inputs = shape(weight)[:2]
    if any(user.op == "output" for user in call.users):
        return "the model returns what it computes"
    if len(weight.users) > 1:
        return "several calls read its weight"
    if (outputs // pattern.height) * (inputs // pattern.width) < _LEAST:
        return f"of {inputs} -> {outputs} channels there are fewer than {_LEAST} blocks"
    return ""


def _fitted(call: Node, program: Program, moments: PairedMoments, pattern: Zeros) -> Changed:
    view = weighted_at(call)
    weight = program.constants[str(view.weight.target)]
    flat = weight.flatten(1).double()
    near = moments.nearest(flat)
    fit = sparse_fit(near.numpy(), moments.covariance.numpy(), pattern)
    sparse = from_numpy(fit)
    shift = flat @ moments.original_mean - sparse @ moments.mean
    bias = 0 if view.bias is None else program.constants[str(view.bias.target)].double()
    return Changed(sparse.reshape(weight.shape).to(weight.dtype), (bias + shift).to(weight.dtype))
